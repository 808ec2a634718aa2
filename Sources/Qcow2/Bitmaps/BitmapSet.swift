/// The persistent bitmaps of an image while they are changed in memory.
///
/// Edits follow each other, and become true together with everything else of their ``ImageDraft``. Bits that
/// no edit needs stay on disk and are not read. The texts of errors are QEMU's where it has one.
public struct BitmapSet: Sendable {
  /// One bitmap as it will be.
  struct Member: Sendable {
    /// What the directory is to say of it.
    var bitmap: Bitmap
    /// What it has on disk; nil for a new one, and for one whose clusters may be anybody's by now.
    let stored: BitmapDirectoryEntry?
    /// Its bits; nil for those on disk.
    var content: BitmapContent?
    /// The loads that come after ``content``.
    var loads: [PendingLoad] = []

    /// Whether the bits are other ones than on disk.
    var hasNewBits: Bool { stored == nil || content != nil || !loads.isEmpty }
  }

  /// A load that a bitmap has to follow.
  struct PendingLoad: Sendable, Hashable {
    /// Its number in ``BitmapSet/loads``.
    let index: Int
    /// Whether the bitmap was enabled then, and records what differs.
    let isRecorded: Bool
  }

  /// A change of the disk behind the guest's back, which enabled bitmaps have to record.
  struct Load: Sendable {
    let old: DiskTree
    let new: DiskTree
    /// What may differ, in bytes; nil as long as it was not worked out.
    var ranges: [Range<UInt64>]?
  }

  /// The image as it is on disk.
  let image: Image
  /// The disk's size in bytes as it will be.
  private(set) var size: UInt64
  /// The bitmaps in the directory's order.
  var members: [Member]
  /// What was loaded.
  private(set) var loads: [Load] = []

  /// Starts with the bitmaps of an image.
  public init(_ image: Image) {
    self.image = image
    size = image.header.size
    members =
      image.bitmapEntries.map {
        Member(bitmap: Bitmap($0, isOutdated: false), stored: $0)
      }
      + image.outdatedBitmapEntries.map {
        Member(bitmap: Bitmap($0, isOutdated: true), stored: nil)
      }
  }

  /// The bitmaps as they will be.
  public var bitmaps: [Bitmap] { members.map(\.bitmap) }

  /// Whether something differs from the disk.
  public var isChanged: Bool {
    if members.count != image.bitmaps.count || bitmaps != image.bitmaps { return true }
    // One of the same name may have taken its place.
    let isSame = zip(members, image.bitmapEntries).allSatisfy { $0.stored == $1 && !$0.hasNewBits }
    return !isSame
  }

  // MARK: Looking

  /// Whether there is a bitmap of this name.
  public func contains(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return members.contains { $0.bitmap.nameBytes == bytes }
  }

  /// The bits of a bitmap.
  ///
  /// - Throws: ``Qcow2Error``: notFound; conflict if several have the name or it is inconsistent; malformed or
  ///   io if its bits cannot be read.
  public func content(of name: String) throws(Qcow2Error) -> BitmapContent {
    try content(of: members[try usablePosition(of: name)])
  }

  /// The bits of a bitmap by its position in ``bitmaps``, which costs no search among thousands of them.
  ///
  /// - Throws: ``Qcow2Error``: conflict if it is inconsistent; malformed or io if its bits cannot be read.
  public func content(at index: Int) throws(Qcow2Error) -> BitmapContent {
    try checkConsistency(at: index)
    return try content(of: members[index])
  }

  /// The bits of a bitmap that has this name, whatever it is worth: an inconsistent one has none.
  ///
  /// - Throws: as ``content(of:)``, but for inconsistent bitmaps.
  public func contentOrNone(of name: String) throws(Qcow2Error) -> BitmapContent {
    let member = members[try position(of: name)]
    guard !member.bitmap.isInconsistent else {
      return try BitmapContent(size: size, granularityBits: member.bitmap.granularityBits)
    }
    return try content(of: member)
  }

  /// The bits of a member as they will be.
  func content(of member: Member) throws(Qcow2Error) -> BitmapContent {
    do throws(Qcow2Error) {
      var content: BitmapContent
      if let known = member.content {
        content = known
      } else if let stored = member.stored {
        content = try image.readContent(of: stored)
      } else {
        content = try BitmapContent(
          size: size, granularityBits: member.bitmap.granularityBits)
      }
      for pending in member.loads {
        let load = loads[pending.index]
        try content.resize(to: load.new.size)
        guard pending.isRecorded else { continue }
        var ranges: [Range<UInt64>] = []
        if let known = load.ranges {
          ranges = known
        } else {
          ranges = try image.differences(from: load.old, to: load.new)
        }
        for range in ranges { content.insert(range) }
      }
      return content
    } catch let error {
      throw error.in(image.path)
    }
  }

  /// The position of the bitmap of a name.
  private func position(of name: String) throws(Qcow2Error) -> Int {
    let bytes = Array(name.utf8)
    let found = members.indices.filter { members[$0].bitmap.nameBytes == bytes }
    guard let first = found.first else {
      throw Qcow2Error.notFound("Dirty bitmap '\(name)' not found")
    }
    guard found.count == 1 else {
      throw Qcow2Error.malformed(
        "\(found.count) bitmaps are called '\(name)', which no program should have made"
      ).in(image.path)
    }
    return first
  }

  private func usablePosition(of name: String) throws(Qcow2Error) -> Int {
    let position = try position(of: name)
    try checkConsistency(at: position)
    return position
  }

  private func checkConsistency(at position: Int) throws(Qcow2Error) {
    let bitmap = members[position].bitmap
    guard !bitmap.isInconsistent else {
      throw Qcow2Error.conflict("Bitmap '\(bitmap.name)' is inconsistent and cannot be used")
    }
  }

  /// Checks that there is a bitmap of this name that can be believed.
  public func checkUsable(_ name: String) throws(Qcow2Error) { _ = try usablePosition(of: name) }

  // MARK: Changing

  /// Checks that the image can keep one more bitmap (`bdrv_can_store_new_dirty_bitmap`).
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - granularity: the bytes for each bit.
  /// - Throws: ``Qcow2Error`` without a path.
  public func checkRoom(for name: String, granularity: UInt64) throws(Qcow2Error) {
    guard image.version >= 3 else {
      throw .unsupported("Cannot store dirty bitmaps in qcow2 v2 files")
    }
    let bits = granularity.trailingZeroBitCount
    guard bits <= 31 else {
      throw .overLimit("Granularity exceeds maximum (\(UInt64(1) << 31) bytes)")
    }
    // QEMU loses such a bitmap when it closes the image.
    guard size > 0 else { throw .unsupported("a disk without a byte has nothing to record") }
    _ = try BitmapContent(size: size, granularityBits: bits)
    guard name.utf8.count <= BitmapLimits.nameByteCount else {
      throw .overLimit(
        "Name length exceeds maximum (\(BitmapLimits.nameByteCount) characters)")
    }
    guard members.count < BitmapLimits.count else {
      throw .overLimit("Maximum number of persistent bitmaps is already reached")
    }
    let byteCount = members.reduce(BitmapDirectoryEntry.byteCount(nameByteCount: name.utf8.count)) {
      $0 + BitmapDirectoryEntry.byteCount(nameByteCount: $1.bitmap.nameBytes.count)
    }
    guard byteCount <= BitmapLimits.directoryByteCount else {
      throw .overLimit("Not enough space in the bitmap directory")
    }
  }

  /// Checks what can be said of a new bitmap before the image is looked at.
  ///
  /// - Throws: ``Qcow2Error`` (malformed) without a path.
  public static func checkGranularity(_ granularity: UInt64) throws(Qcow2Error) {
    guard granularity >= 512, granularity.nonzeroBitCount == 1 else {
      throw .malformed("Granularity must be power of 2 and at least 512")
    }
  }

  /// Adds a bitmap at the end.
  ///
  /// - Parameters:
  ///   - name: 1 to 1023 bytes; no bitmap of the image may have it.
  ///   - granularity: bytes for each bit, a power of two from 512 to 2 GiB; nil for
  ///     ``Image/defaultBitmapGranularity``.
  ///   - isEnabled: whether it records what guests write.
  ///   - content: its bits, of the disk's size; nil for a clean one. Its granularity counts then.
  /// - Throws: ``Qcow2Error`` with QEMU's text.
  public mutating func add(
    _ name: String, granularity: UInt64? = nil, isEnabled: Bool = true,
    content: BitmapContent? = nil
  ) throws(Qcow2Error) {
    guard !name.isEmpty else { throw .malformed("Bitmap name cannot be empty") }
    let granularity = content?.granularity ?? granularity ?? image.defaultBitmapGranularity
    try Self.checkGranularity(granularity)
    try checkRoom(for: name, granularity: granularity)
    guard !contains(name) else { throw .conflict("Bitmap already exists: \(name)") }
    let bits = granularity.trailingZeroBitCount
    let clean = try BitmapContent(size: size, granularityBits: bits)
    let content = content ?? clean
    guard content.size == size else { throw Self.differentSizes(size, content.size) }
    try checkMemory(with: content)
    members.append(
      Member(
        bitmap: Bitmap(
          nameBytes: Array(name.utf8), granularityBits: bits, isEnabled: isEnabled,
          state: .consistent),
        stored: nil, content: content))
  }

  /// Removes a bitmap, also one that is inconsistent.
  public mutating func remove(_ name: String) throws(Qcow2Error) {
    members.remove(at: try position(of: name))
  }

  /// Marks nothing as dirty any more.
  public mutating func clear(_ name: String) throws(Qcow2Error) {
    let position = try usablePosition(of: name)
    var content = try emptyContent(of: members[position])
    content.removeAll()
    set(content, at: position)
  }

  /// Makes a bitmap record from now on, or not record any more.
  public mutating func setEnabled(_ isEnabled: Bool, _ name: String) throws(Qcow2Error) {
    let position = try usablePosition(of: name)
    let old = members[position].bitmap
    members[position].bitmap = Bitmap(
      nameBytes: old.nameBytes, granularityBits: old.granularityBits, isEnabled: isEnabled,
      state: old.state)
  }

  /// Adds the dirty parts of another bitmap, whose granularity may differ.
  ///
  /// - Parameters:
  ///   - source: bits of a disk of the same size.
  ///   - name: the bitmap that they are added to.
  /// - Throws: ``Qcow2Error``; nothing has changed then.
  public mutating func merge(_ source: BitmapContent, into name: String) throws(Qcow2Error) {
    let position = try usablePosition(of: name)
    guard source.size == size else { throw Self.differentSizes(size, source.size) }
    var content = try content(of: members[position])
    content.formUnion(source)
    try checkMemory(with: content, insteadOf: position)
    set(content, at: position)
  }

  /// Makes an inconsistent bitmap usable again in the only safe way: everything counts as changed. A bitmap
  /// that can be believed is left as it is.
  ///
  /// - Returns: whether there was something to repair.
  @discardableResult
  public mutating func repair(_ name: String) throws(Qcow2Error) -> Bool {
    let position = try position(of: name)
    let old = members[position].bitmap
    guard old.isInconsistent else { return false }
    guard image.version >= 3 else {
      throw .unsupported("Cannot store dirty bitmaps in qcow2 v2 files")
    }
    var content = try emptyContent(of: members[position])
    content.insertAll()
    members[position].bitmap = Bitmap(
      nameBytes: old.nameBytes, granularityBits: old.granularityBits, isEnabled: old.isEnabled,
      state: .consistent)
    set(content, at: position)
    return true
  }

  /// Notes that the active state of the disk becomes another one: enabled bitmaps record what differs, and all
  /// that can be believed follow the disk's size.
  mutating func record(from old: DiskTree, to new: DiskTree) throws(Qcow2Error) {
    size = new.size
    guard old.l1 != new.l1 || old.size != new.size else { return }
    loads.append(Load(old: old, new: new))
    for position in members.indices {
      let bitmap = members[position].bitmap
      guard !bitmap.isInconsistent, bitmap.isEnabled || old.size != new.size else { continue }
      guard size > 0 else {
        throw .unsupported(
          "the disk would have no byte, and QEMU opens no such disk with bitmaps; remove bitmap "
            + "'\(bitmap.name)' first")
      }
      // Where the bits would become too many, that is told before anything is written.
      _ = try BitmapContent(size: size, granularityBits: bitmap.granularityBits)
      members[position].loads.append(
        PendingLoad(index: loads.count - 1, isRecorded: bitmap.isEnabled))
    }
  }

  /// Notes that a range of the disk is written: enabled bitmaps record it.
  mutating func record(write range: Range<UInt64>) throws(Qcow2Error) {
    for position in members.indices {
      let bitmap = members[position].bitmap
      guard bitmap.isEnabled, !bitmap.isInconsistent else { continue }
      var content = try content(of: members[position])
      content.insert(range)
      set(content, at: position)
    }
  }

  /// Works out what was changed by loads, so that writing need not.
  mutating func settle(_ checkpoint: @escaping Checkpoint) throws {
    for index in loads.indices
    where loads[index].ranges == nil
      && members.contains(where: { $0.loads.contains(PendingLoad(index: index, isRecorded: true)) })
    {
      loads[index].ranges = try TreeComparison(
        image, from: loads[index].old, to: loads[index].new
      ) { _ in try checkpoint(0) }.ranges
    }
  }

  private func emptyContent(of member: Member) throws(Qcow2Error) -> BitmapContent {
    do {
      return try BitmapContent(size: size, granularityBits: member.bitmap.granularityBits)
    } catch let error {
      throw error.in(image.path)
    }
  }

  private mutating func set(_ content: BitmapContent, at position: Int) {
    members[position].content = content
    members[position].loads = []
  }

  private func checkMemory(
    with content: BitmapContent, insteadOf position: Int? = nil
  ) throws(Qcow2Error) {
    var sum = content.memoryByteCount
    for index in members.indices where index != position {
      sum += members[index].content?.memoryByteCount ?? 0
    }
    guard sum <= BitmapLimits.memoryByteCount else {
      throw Qcow2Error.overLimit(
        "the bitmaps that change have more than \(BitmapLimits.memoryByteCount >> 20) MiB of bits together; "
          + "change them one by one"
      ).in(image.path)
    }
  }

  private static func differentSizes(_ own: UInt64, _ other: UInt64) -> Qcow2Error {
    .conflict(
      "Bitmaps are of different sizes (destination size is \(own), source size is \(other)) and can't be "
        + "merged")
  }
}
