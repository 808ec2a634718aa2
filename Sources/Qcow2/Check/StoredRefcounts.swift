internal import ByteCoding

/// The refcounts as they are on disk, whatever state they are in.
///
/// Blocks are kept as bytes; those that are all zero, or lie behind the end of the file, take no memory.
struct StoredRefcounts {
  /// The refcount table as it is on disk.
  let table: [UInt64]

  private enum Block {
    /// All counts are zero.
    case zeros
    /// The table's entry leads nowhere that could be read.
    case unreadable
    /// The position of the bytes.
    case bytes(Int)
  }

  private let geometry: ClusterGeometry
  /// By refcount table index.
  private var blocks: [Block]
  private var contents: [[UInt8]] = []

  /// Bits 9 to 63 of a refcount table entry.
  private static let offsetMask = ~UInt64(0x1ff)

  /// Reads the refcount table and every block that it leads to.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - foresee: told the bytes of blocks that will be read.
  ///   - checkpoint: told those that were; what it throws ends the work.
  /// - Throws: ``Qcow2Error`` if the file cannot be read; what the checkpoint throws.
  init(_ image: Image, foresee: (Int64) -> Void, _ checkpoint: Checkpoint) throws {
    geometry = image.geometry
    let header = image.header
    table = try image.file.readWords(
      count: Int(header.refcountTableClusters) * geometry.clusterSize / 8,
      at: header.refcountTableOffset, isZeroPadded: true)
    blocks = [Block](repeating: .zeros, count: table.count)
    var users: [UInt64: [Int]] = [:]
    for (index, word) in table.enumerated() where word & Self.offsetMask != 0 {
      let offset = word & Self.offsetMask
      if !geometry.isAligned(HostOffset(offset)) || offset > UInt64(Int64.max) {
        blocks[index] = .unreadable
      } else if offset < UInt64(image.fileLength) {
        users[offset, default: []].append(index)
      }
    }
    foresee(Int64(users.count) << Int64(geometry.clusterBits))
    try read(users, image.file, checkpoint)
  }

  /// Reads blocks, neighbours together.
  private mutating func read(
    _ users: [UInt64: [Int]], _ file: any ImageFile, _ checkpoint: Checkpoint
  ) throws {
    let offsets = users.keys.sorted()
    let size = geometry.clusterSize
    let atOnce = max(1, PosixFile.batchByteCount / size)
    var first = 0
    while first < offsets.count {
      var count = 1
      while count < atOnce, first + count < offsets.count,
        offsets[first + count] == offsets[first] + UInt64(count * size)
      { count += 1 }
      let bytes = try file.readZeroPadded(byteCount: count * size, at: Int64(offsets[first]))
      for block in 0..<count {
        let content = bytes[block * size..<(block + 1) * size]
        guard content.contains(where: { $0 != 0 }) else { continue }
        for index in users[offsets[first + block]] ?? [] { blocks[index] = .bytes(contents.count) }
        contents.append(Array(content))
      }
      try checkpoint(Int64(count * size))
      first += count
    }
  }

  /// The count of a cluster: zero where no block describes it, nil if its block cannot be read.
  subscript(cluster: HostCluster) -> UInt64? {
    let perBlock = geometry.refcountBlockEntryCount
    let (block, index) = cluster.index.quotientAndRemainder(dividingBy: perBlock)
    guard block < blocks.count else { return 0 }
    switch blocks[block] {
    case .zeros: return 0
    case .unreadable: return nil
    case .bytes(let position):
      return RefcountBlockCoding.count(
        at: index, in: contents[position], order: geometry.refcountOrder)
    }
  }

  /// Whether all counts of the block that describes a cluster are zero.
  func areZeros(around cluster: HostCluster) -> Bool {
    let block = cluster.index / geometry.refcountBlockEntryCount
    guard block < blocks.count else { return true }
    if case .zeros = blocks[block] { return true }
    return false
  }
}

extension RefcountBlockCoding {
  /// One count of a block, whatever its value.
  static func count(at index: Int, in bytes: [UInt8], order: Int) -> UInt64 {
    let span = bytes.span.bytes
    switch order {
    case 0..<3:
      let perByte = 8 >> order
      let mask = UInt8((1 << (1 << order)) - 1)
      return UInt64(bytes[index / perByte] >> UInt8((index % perByte) << order) & mask)
    case 3: return UInt64(bytes[index])
    case 4: return UInt64(span.bigEndian(UInt16.self, at: index * 2))
    case 5: return UInt64(span.bigEndian(UInt32.self, at: index * 4))
    default: return span.bigEndian(UInt64.self, at: index * 8)
    }
  }
}
