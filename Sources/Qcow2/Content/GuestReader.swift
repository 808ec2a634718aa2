internal import ByteCoding

/// Reads what the guest sees: the active state of an image, or the state that a snapshot keeps.
///
/// Used by one thread. Keeps the L2 table that it read last, and the compressed cluster that it inflated
/// last in part.
public struct GuestReader: Sendable {
  private let image: Image
  private let l1: [UInt64]
  private var tableOffset: UInt64 = 0
  private var table: [UInt64] = []
  private var inflatedMapping: ClusterMapping?
  private var inflated: [UInt8] = []

  /// The disk's size in bytes.
  public let size: UInt64

  /// Bytes in a cluster.
  public var clusterSize: Int { image.clusterSize }
  /// Whether unallocated clusters come from a backing file.
  public let hasBackingFile: Bool

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
    self.init(
      mapping: image, l1: l1, size: size, hasBackingFile: image.area.backingFileName != nil)
  }

  /// Reads what an L1 table stands for; of an encrypted image only the mapping means something.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - l1: a table, or the part of one that begins with VM state.
  ///   - size: bytes that it stands for.
  ///   - hasBackingFile: whether what is unallocated comes from there; otherwise it is zeros.
  init(mapping image: Image, l1: [UInt64], size: UInt64, hasBackingFile: Bool) {
    self.image = image
    self.hasBackingFile = hasBackingFile
    self.l1 = l1
    self.size = size
  }

  /// How the disk is mapped from an offset on.
  ///
  /// - Parameter offset: below ``size``.
  /// - Returns: the mapping, and how many bytes from there on are mapped so at least: up to the end of a
  ///   run of subclusters, of a cluster, or of all that an L1 entry without a table stands for.
  /// - Throws: ``Qcow2Error`` if the table cannot be read or the entry is not valid.
  mutating func mapping(
    at offset: GuestOffset
  ) throws(Qcow2Error) -> (ClusterMapping, byteCount: UInt64) {
    let geometry = image.geometry
    let left = size - offset.bytes
    let l1Index = Int(offset.bytes >> UInt64(geometry.l2CoverageBits))
    guard l1Index < l1.count else { return (.unallocated, left) }
    let wanted = l1[l1Index] & TableEntry.offsetMask
    guard wanted != 0 else {
      let covered = UInt64(1) << UInt64(geometry.l2CoverageBits)
      return (.unallocated, min(covered - offset.bytes % covered, left))
    }
    if wanted != tableOffset {
      table = try image.file.readWords(count: geometry.clusterSize / 8, at: HostOffset(wanted))
      tableOffset = wanted
    }
    let index = Int(offset.bytes >> UInt64(geometry.clusterBits)) & (geometry.l2EntryCount - 1)
    let entry: L2Entry
    do throws(Qcow2Error) {
      entry = try L2Entry(index, of: table[...], image.header)
    } catch {
      throw .corrupt(error.message, at: wanted)
    }
    let within = Int(offset.bytes & UInt64(geometry.clusterSize - 1))
    let subcluster = within / geometry.subclusterSize
    let end = (subcluster + entry.runLength(fromSubcluster: subcluster)) * geometry.subclusterSize
    return (entry.mapping(ofSubcluster: subcluster), min(UInt64(end - within), left))
  }

  /// As ``mapping(at:)``, with the guest offset and the path in what it throws.
  mutating func placedMapping(
    at offset: GuestOffset
  ) throws(Qcow2Error) -> (ClusterMapping, byteCount: UInt64) {
    do {
      return try mapping(at: offset)
    } catch let error {
      throw Qcow2Error(
        error.code, "guest offset \(offset): \(error.message)", path: image.path,
        offset: error.offset, cause: error.cause)
    }
  }

  /// Fills a buffer with guest bytes.
  ///
  /// - Parameters:
  ///   - buffer: filled; what lies beyond the disk's end reads as zeros.
  ///   - offset: in bytes from the start of the disk.
  /// - Throws: ``Qcow2Error``; unsupported for content that is kept in a backing file, which is never
  ///   opened, corrupt for damaged entries and for compressed data that do not inflate.
  public mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) {
    let inside = offset < size ? Int(min(UInt64(buffer.count), size - offset)) : 0
    Self.fillZeros(UnsafeMutableRawBufferPointer(rebasing: buffer[inside...]))
    var done = 0
    while done < inside {
      do {
        let position = GuestOffset(offset + UInt64(done))
        let (mapping, byteCount) = try placedMapping(at: position)
        let count = Int(min(UInt64(inside - done), byteCount))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
        try readPart(into: part, at: position, mapping)
        done += count
      } catch let error {
        throw error.in(image.path)
      }
    }
  }

  /// Reads bytes that are mapped in one way.
  private mutating func readPart(
    into part: UnsafeMutableRawBufferPointer, at position: GuestOffset, _ mapping: ClusterMapping
  ) throws(Qcow2Error) {
    let within = Int(position.bytes & UInt64(clusterSize - 1))
    switch mapping {
    case .data(let host):
      try image.file.readZeroPadded(into: part, at: Int64(host.bytes) + Int64(within))
    case .zero: Self.fillZeros(part)
    case .unallocated:
      if hasBackingFile, let name = image.area.backingFileName {
        throw .unsupported(
          "guest offset \(position) comes from the backing file "
            + "'\(String(decoding: name, as: UTF8.self))', which snapjob never opens")
      }
      Self.fillZeros(part)
    case .compressed(let host, let byteCount):
      let cluster = GuestOffset(position.bytes - UInt64(within))
      if part.count == clusterSize {
        try image.inflate(at: host, byteCount: byteCount, guest: cluster, into: part)
        return
      }
      if inflatedMapping != mapping {
        inflatedMapping = nil
        try inflate(at: host, byteCount: byteCount, guest: cluster)
        inflatedMapping = mapping
      }
      inflated.withUnsafeBytes {
        part.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[within..<within + part.count]))
      }
    }
  }

  /// Inflates a cluster of which only a part is wanted; the other parts are often wanted next.
  private mutating func inflate(
    at host: HostOffset, byteCount: Int, guest: GuestOffset
  ) throws(Qcow2Error) {
    let image = self.image
    if inflated.isEmpty { inflated = [UInt8](repeating: 0, count: clusterSize) }
    var span = inflated.mutableSpan
    try span.withUnsafeMutableBytes { (buffer) throws(Qcow2Error) in
      try image.inflate(at: host, byteCount: byteCount, guest: guest, into: buffer)
    }
  }

  private static func fillZeros(_ buffer: UnsafeMutableRawBufferPointer) {
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
  }
}
