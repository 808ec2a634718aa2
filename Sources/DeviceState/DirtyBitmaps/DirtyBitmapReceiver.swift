/// Puts the chunks of a stream together to bitmaps: the receiving side as a state machine.
///
/// ```
///          START             BITS            COMPLETE
///  unknown ──────▶ announced ─────▶ … ─────▶ complete          finish(): all are complete
/// ```
///
/// Where QEMU drops all bitmaps of a migration without failing it, this throws: what was received is
/// taken as a whole or not at all. Aliases that nobody knows can be passed over, one by one.
public struct DirtyBitmapReceiver: Sendable {
  /// What becomes of bitmaps whose aliases are not known.
  public enum UnknownAliases: Sendable, Hashable {
    /// The first of them is an error.
    case refused
    /// They are passed over, and told in ``DirtyBitmapReceiver/ignored``.
    case ignored
  }

  private enum Node: Sendable {
    case none
    /// Nobody knows it.
    case ignored(reason: String)
    case known(DirtyBitmapDestination.Disk, alias: String)
  }

  private enum Bitmap: Sendable {
    case none
    case ignored
    case named(BlockBitmapMapping.Bitmap)
    case announced(Int)
  }

  /// The bitmaps so far.
  public private(set) var bitmaps: [ReceivedBitmap] = []
  /// Bytes of bits that the bitmaps have which were announced.
  public private(set) var announcedByteCount: UInt64 = 0
  /// Bytes of bits that have come.
  public private(set) var receivedByteCount: UInt64 = 0
  /// Why bitmaps were passed over: a sentence for each that was announced.
  public private(set) var ignored: [String] = []

  private let destination: DirtyBitmapDestination
  private let unknownAliases: UnknownAliases
  private var node = Node.none
  private var bitmap = Bitmap.none
  private var ignoranceReason = ""
  private var contentByteCount: UInt64 = 0
  private var indices: [BitmapName: Int] = [:]

  /// As bytes: two spellings of one letter are two names.
  private struct BitmapName: Hashable {
    let node: [UInt8]
    let name: [UInt8]

    init(node: String, name: String) {
      (self.node, self.name) = (Array(node.utf8), Array(name.utf8))
    }
  }

  /// Makes a receiver.
  public init(_ destination: DirtyBitmapDestination, unknownAliases: UnknownAliases) {
    self.destination = destination
    self.unknownAliases = unknownAliases
  }

  /// Takes one chunk.
  ///
  /// - Throws: ``StreamError`` with QEMU's text where it has one; nothing that was received is of
  ///   use then.
  public mutating func take(_ chunk: DirtyBitmapChunk) throws(StreamError) {
    if let alias = chunk.node { try enterNode(alias) }
    if let alias = chunk.bitmap { try enterBitmap(alias) }
    switch chunk.body {
    case .nothing: break
    case .start(let granularity, let flags): try announce(granularity, flags)
    case .bits(let bits):
      guard let index = try announcedBitmap() else { return }
      let covered = bitmaps[index].coveredByteCount
      contentByteCount += try bitmaps[index].take(bits)
      receivedByteCount += bitmaps[index].coveredByteCount - covered
      guard contentByteCount <= DirtyBitmapLimits.contentByteCount else {
        throw StreamError(
          .overLimit,
          "The bitmaps have more than \(DirtyBitmapLimits.contentByteCount) bytes of bits; send them "
            + "one after the other")
      }
    case .complete:
      guard let index = try announcedBitmap() else { return }
      try complete(index)
    }
  }

  /// Ends the receiving.
  ///
  /// - Returns: the bitmaps, in the order in which they were announced.
  /// - Throws: ``StreamError`` (truncated) if one was not sent to its end.
  public func finish() throws(StreamError) -> [ReceivedBitmap] {
    if let bitmap = bitmaps.first(where: { !$0.isComplete }) {
      throw StreamError(
        .truncated, "Bitmap '\(bitmap.name)' on node '\(bitmap.node)' was not sent to its end")
    }
    return bitmaps
  }

  // MARK: Names

  private mutating func enterNode(_ bytes: [UInt8]) throws(StreamError) {
    let alias = try Self.text(bytes, "node")
    bitmap = .none
    do throws(StreamError) {
      node = .known(try destination.disk(alias: alias), alias: alias)
    } catch {
      try ignore(because: error)
      node = .ignored(reason: error.message)
    }
  }

  private mutating func enterBitmap(_ bytes: [UInt8]) throws(StreamError) {
    let alias = try Self.text(bytes, "bitmap")
    switch node {
    case .none: throw StreamError(.malformed, "block device name is not set")
    case .ignored(let reason):
      ignoranceReason = "\(reason) (bitmap alias '\(alias)')"
      bitmap = .ignored
    case .known(let disk, let nodeAlias):
      do throws(StreamError) {
        let entry = try destination.bitmap(alias: alias, of: nodeAlias, on: disk)
        let known = indices[BitmapName(node: disk.node, name: entry.name)]
        bitmap = known.map { .announced($0) } ?? .named(entry)
      } catch {
        try ignore(because: error)
        bitmap = .ignored
      }
    }
  }

  private mutating func ignore(because error: StreamError) throws(StreamError) {
    guard unknownAliases == .ignored, error.code == .notFound else { throw error }
    ignoranceReason = error.message
  }

  private static func text(_ bytes: [UInt8], _ kind: String) throws(StreamError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw StreamError(.malformed, "A \(kind) alias in the stream is no text")
    }
    return text
  }

  // MARK: Bitmaps

  private mutating func announce(
    _ granularity: UInt32, _ flags: DirtyBitmapStartFlags
  ) throws(StreamError) {
    let entry: BlockBitmapMapping.Bitmap
    switch bitmap {
    case .none: throw StreamError(.malformed, "block device name is not set")
    case .ignored:
      guard ignored.count < DirtyBitmapLimits.bitmapCount else { throw Self.tooMany }
      return ignored.append(ignoranceReason)
    case .announced(let index): throw Self.twice(bitmaps[index].name)
    case .named(let named): entry = named
    }
    guard case .known(let disk, _) = node else { return }
    guard !disk.bitmapNames.contains(Array(entry.name.utf8)) else { throw Self.twice(entry.name) }
    guard !entry.name.isEmpty else {
      throw StreamError(.malformed, "Bitmap name cannot be empty")
    }
    guard granularity >= 512, granularity.nonzeroBitCount == 1 else {
      throw StreamError(
        .malformed,
        "Granularity must be power of 2 and at least 512, not \(granularity) (bitmap '\(entry.name)' "
          + "on node '\(disk.node)')")
    }
    guard flags.unknown == 0 else {
      throw StreamError(
        .unsupported,
        "Unknown flags in migrated dirty bitmap header: \(String(flags.unknown, radix: 16))")
    }
    guard bitmaps.count < DirtyBitmapLimits.bitmapCount else { throw Self.tooMany }
    let announced = ReceivedBitmap(
      node: disk.node, name: entry.name, granularity: granularity, diskSize: disk.size,
      isEnabled: flags.contains(.enabled),
      isPersistent: entry.transform?.persistent ?? flags.contains(.persistent))
    guard announced.byteCount <= DirtyBitmapLimits.bitmapByteCount else {
      throw StreamError(
        .overLimit,
        "Too much space will be occupied by the bitmap '\(entry.name)'. Use larger granularity")
    }
    bitmap = .announced(bitmaps.count)
    indices[BitmapName(node: disk.node, name: entry.name)] = bitmaps.count
    bitmaps.append(announced)
    announcedByteCount += announced.byteCount
  }

  private mutating func complete(_ index: Int) throws(StreamError) {
    let bitmap = bitmaps[index]
    guard !bitmap.isComplete else {
      throw StreamError(
        .malformed, "Bitmap '\(bitmap.name)' on node '\(bitmap.node)' is completed twice")
    }
    guard bitmap.coveredSectorCount == bitmap.sectorCount else {
      throw StreamError(
        .malformed,
        "Bitmap '\(bitmap.name)' is of a disk of \(bitmap.coveredSectorCount) sectors, and node "
          + "'\(bitmap.node)' has \(bitmap.sectorCount)")
    }
    bitmaps[index].isComplete = true
  }

  /// The bitmap that a chunk is about; nil for one that is passed over.
  private func announcedBitmap() throws(StreamError) -> Int? {
    switch bitmap {
    case .announced(let index): return index
    case .ignored: return nil
    case .none: throw StreamError(.malformed, "block device name is not set")
    case .named(let entry):
      guard case .known(let disk, _) = node else { return nil }
      throw StreamError(
        .malformed, "unknown dirty bitmap '\(entry.name)' for block device '\(disk.node)'")
    }
  }

  private static func twice(_ name: String) -> StreamError {
    StreamError(
      .exists, "Bitmap with the same name ('\(name)') already exists on destination")
  }

  private static let tooMany = StreamError(
    .overLimit, "The stream announces more than \(DirtyBitmapLimits.bitmapCount) bitmaps")
}
