internal import ByteCoding

/// Reads what the guest sees: the active state of an image, or the state that a snapshot keeps.
///
/// Used by one thread. Keeps the L2 table that it read last.
public struct GuestReader {
  private let image: Image
  private let l1: [UInt64]
  private var tableOffset: UInt64 = 0
  private var table: [UInt64] = []

  /// The disk's size in bytes.
  public let size: UInt64

  /// Bytes in a cluster.
  public var clusterSize: Int { image.clusterSize }
  /// Whether unallocated clusters come from a backing file.
  public var hasBackingFile: Bool { image.area.backingFileName != nil }

  /// Reads the active state.
  public init(_ image: Image) throws(Qcow2Error) {
    do {
      try self.init(image, l1: try image.readActiveL1(), size: image.header.size)
    } catch let error {
      throw error.in(image.path)
    }
  }

  /// Reads the state of a snapshot.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - position: the snapshot's position in ``Image/snapshots``.
  /// - Throws: ``Qcow2Error`` if its L1 table cannot be read, or the content is encrypted.
  public init(_ image: Image, snapshot position: Int) throws(Qcow2Error) {
    do {
      let entry = image.table.entries[position]
      try self.init(
        image, l1: try image.readL1(of: entry), size: entry.diskSize ?? image.header.size)
    } catch let error {
      throw error.in(image.path)
    }
  }

  private init(_ image: Image, l1: [UInt64], size: UInt64) throws(Qcow2Error) {
    if image.header.cryptMethod != 0 {
      throw .unsupported("the image is encrypted; its content cannot be read without the key")
    }
    self.image = image
    self.l1 = l1
    self.size = size
  }

  /// What the L2 tables say of the cluster that a guest offset lies in.
  mutating func mapping(at offset: GuestOffset) throws(Qcow2Error) -> ClusterMapping {
    let geometry = image.geometry
    let l1Index = Int(offset.bytes >> UInt64(geometry.l2CoverageBits))
    guard l1Index < l1.count else { return .unallocated }
    let wanted = l1[l1Index] & TableEntry.offsetMask
    guard wanted != 0 else { return .unallocated }
    if wanted != tableOffset {
      table = try image.file.readWords(count: geometry.clusterSize / 8, at: HostOffset(wanted))
      tableOffset = wanted
    }
    let index = Int(offset.bytes >> UInt64(geometry.clusterBits)) & (geometry.l2EntryCount - 1)
    let entry = table[index * geometry.l2EntryWords]
    if entry & TableEntry.compressed == 0 {
      guard entry & TableEntry.l2ReservedMask == 0,
        geometry.isAligned(HostOffset(entry & TableEntry.offsetMask))
      else { throw .corrupt("an L2 entry is not valid; run snapjob check", at: wanted) }
    }
    return ClusterMapping(entry, geometry)
  }

  /// Fills a buffer with guest bytes.
  ///
  /// - Parameters:
  ///   - buffer: wholly inside the disk when placed at the offset; what lies beyond reads as zeros.
  ///   - offset: in bytes from the start of the disk.
  /// - Throws: ``Qcow2Error``; unsupported for content that this program cannot read: encrypted,
  ///   compressed, subclusters, or kept in a backing file, which is never opened.
  public mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) {
    if image.geometry.hasExtendedL2 {
      throw Qcow2Error.unsupported("content of images with extended L2 entries cannot be read yet")
        .in(image.path)
    }
    let clusterSize = UInt64(image.clusterSize)
    var done = 0
    while done < buffer.count {
      let position = offset + UInt64(done)
      let within = position % clusterSize
      let count = min(buffer.count - done, Int(clusterSize - within))
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
      do {
        try readPart(into: part, at: position, within: within)
      } catch let error {
        throw error.in(image.path)
      }
      done += count
    }
  }

  private mutating func readPart(
    into part: UnsafeMutableRawBufferPointer, at position: UInt64, within: UInt64
  ) throws(Qcow2Error) {
    guard position < size else {
      part.initializeMemory(as: UInt8.self, repeating: 0)
      return
    }
    switch try mapping(at: GuestOffset(position)) {
    case .data(let host):
      try image.file.readZeroPadded(into: part, at: Int64(host.bytes + within))
    case .zero:
      part.initializeMemory(as: UInt8.self, repeating: 0)
    case .unallocated:
      guard image.area.backingFileName == nil else {
        throw .unsupported(
          "guest offset \(position) comes from the backing file, which snapjob never opens")
      }
      part.initializeMemory(as: UInt8.self, repeating: 0)
    case .compressed:
      throw .unsupported("guest offset \(position) is compressed; it cannot be read yet")
    }
  }
}
