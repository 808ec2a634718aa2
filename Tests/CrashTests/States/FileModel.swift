/// One file as the page cache and as the disk have it.
struct FileModel: Sendable {
  /// What changes the bytes.
  enum Change: Sendable {
    case write(ArraySlice<UInt8>, at: Int)
    case clear(at: Int, count: Int)
    case length(Int)

    /// The bytes that it puts in the place of others.
    var range: Range<Int> {
      switch self {
      case .write(let bytes, let offset): offset..<offset + bytes.count
      case .clear(let offset, let count): offset..<offset + count
      case .length(let length): length..<Int.max
      }
    }
  }

  /// A change that may be missing on the disk.
  struct Pending: Sendable {
    let change: Change
    /// An fsync over it has failed: its page counts as clean, and no later fsync makes it durable.
    var isLost = false
  }

  /// What the disk has for certain.
  private(set) var durable: FileContent
  /// What the page cache has beside it, in order.
  private(set) var pending: [Pending] = []
  /// What programs see.
  private(set) var cached: FileContent
  /// Whether the file exists for programs.
  private(set) var exists: Bool
  /// Whether it exists after a power loss; nil where both may be.
  private(set) var survives: Bool?

  /// A file all of whose bytes are on the disk; nil for one that is not there.
  init(_ content: FileContent?) {
    durable = content ?? FileContent()
    cached = durable
    exists = content != nil
    survives = exists
  }

  /// Whether page cache and disk may differ in a way that an fsync does not mend.
  var hasLost: Bool { pending.contains { $0.isLost } }

  mutating func apply(_ change: Change) {
    pending.append(Pending(change: change))
    Self.apply(change, to: &cached)
  }

  /// Everything but what was lost before is on the disk now.
  mutating func synchronize() {
    if hasLost {
      // What is lost stays droppable, but for the bytes that were written once more.
      let old = pending
      pending = []
      for entry in old {
        if entry.isLost {
          pending.append(entry)
        } else {
          Self.apply(entry.change, to: &durable)
          supersede(entry.change.range)
        }
      }
    } else {
      durable = cached
      pending = []
    }
  }

  /// An fsync has failed: nobody knows which pages are on the disk, and all are clean. Lengths and holes are no
  /// pages: the file system keeps them, and the next fsync that succeeds makes them durable.
  mutating func failToSynchronize() {
    for index in pending.indices {
      if case .write = pending[index].change { pending[index].isLost = true }
    }
  }

  /// A name appears or goes, which a power loss may take back.
  mutating func setExists(_ value: Bool) {
    if value, !exists {
      durable = FileContent()
      cached = durable
      pending = []
    }
    exists = value
    if survives != value { survives = nil }
  }

  /// The name that there is, or is not, is durable.
  mutating func synchronizeName() { survives = exists }

  /// Changes what programs see of the lost writes, but for the first sector: who writes there the bytes that were
  /// seen there before has written all the same, and ``adopt(_:)`` would not know.
  ///
  /// Only for an image in whose present state nothing of these writes is in use.
  ///
  /// - Returns: whether there was anything to change.
  mutating func spoilLost() -> Bool {
    var isSpoilt = false
    for (index, entry) in pending.enumerated() where entry.isLost {
      guard case .write(let bytes, let offset) = entry.change, offset >= 512 else { continue }
      let range = entry.change.range
      let isGone = pending[index...].contains { later in
        if case .write = later.change { false } else { later.change.range.overlaps(range) }
      }
      if isGone { continue }
      cached.write(bytes.map { ~$0 }[...], at: offset)
      isSpoilt = true
    }
    return isSpoilt
  }

  /// What another program has written and made durable, by what it looks like now.
  mutating func adopt(_ content: FileContent) {
    let changes = cached.changes(to: content)
    synchronize()
    for (offset, bytes) in changes {
      durable.write(bytes[...], at: offset)
      supersede(offset..<offset + bytes.count)
    }
    durable.setLength(content.byteCount)
    supersede(content.byteCount..<Int.max)
    cached = content
  }

  /// These bytes are durable in a newer form: the older ones cannot come back.
  private mutating func supersede(_ range: Range<Int>) {
    pending = pending.flatMap { entry -> [Pending] in
      guard case .write(let bytes, let offset) = entry.change,
        range.overlaps(offset..<offset + bytes.count)
      else { return [entry] }
      let from = bytes.startIndex
      let head = bytes[from..<from + max(0, range.lowerBound - offset)]
      let tail = bytes[from + min(bytes.count, range.upperBound - offset)..<bytes.endIndex]
      var parts: [Pending] = []
      if !head.isEmpty {
        parts.append(Pending(change: .write(head, at: offset), isLost: entry.isLost))
      }
      if !tail.isEmpty {
        let place = offset + bytes.count - tail.count
        parts.append(Pending(change: .write(tail, at: place), isLost: entry.isLost))
      }
      return parts
    }
  }

  /// What is left after a power loss.
  ///
  /// - Parameters:
  ///   - keepsName: where the name may be lost, whether it is as programs have seen it last.
  ///   - survivors: whether each pending change, or a sector of 512 bytes of it, is on the disk.
  /// - Returns: the file as the next boot has it.
  func afterPowerLoss(
    keepsName: Bool, _ survivors: (_ pending: Int, _ sector: Int) -> Bool
  ) -> FileModel {
    let isThere = survives ?? (keepsName ? exists : !exists)
    guard isThere else { return FileModel(nil) }
    var content = durable
    for (index, entry) in pending.enumerated() {
      switch entry.change {
      case .write(let bytes, let offset):
        var done = 0
        while done < bytes.count {
          // Sectors are those of the disk, not of the write.
          let part = min(bytes.count - done, 512 - (offset + done) % 512)
          if survivors(index, (offset + done) / 512 - offset / 512) {
            let from = bytes.startIndex + done
            content.write(bytes[from..<from + part], at: offset + done)
          }
          done += part
        }
      case .clear, .length: if survivors(index, 0) { Self.apply(entry.change, to: &content) }
      }
    }
    return FileModel(content)
  }

  private static func apply(_ change: Change, to content: inout FileContent) {
    switch change {
    case .write(let bytes, let offset): content.write(bytes, at: offset)
    case .clear(let offset, let count): content.clear(at: offset, count: count)
    case .length(let length): content.setLength(length)
    }
  }
}
