/// What a new image is to be like (`BlockdevCreateOptionsQcow2` of qapi/block-core.json).
public struct CreateOptions: Sendable, Hashable {
  /// The disk's size in bytes; rounded up to a multiple of 512.
  public var size: UInt64
  /// Bytes in a cluster: a power of two from 512 to 2 MiB.
  public var clusterSize: Int
  /// 2 or 3.
  public var version: UInt32
  /// Bits of a refcount: a power of two from 1 to 64; 16 for version 2.
  public var refcountBits: Int

  /// QEMU's defaults: 64 KiB clusters, version 3, 16-bit refcounts.
  public init(size: UInt64, clusterSize: Int = 65536, version: UInt32 = 3, refcountBits: Int = 16) {
    self.size = size
    self.clusterSize = clusterSize
    self.version = version
    self.refcountBits = refcountBits
  }
}

extension Image {
  /// Creates an empty image.
  ///
  /// ```
  /// | header | refcount table | refcount blocks | L1 table |
  /// ```
  ///
  /// - Throws: ``Qcow2Error``: conflict if something has that path, malformed or overLimit for options
  ///   that the format does not allow. No file is left behind.
  public static func create(
    _ path: String, _ options: CreateOptions, access: any FileAccess = PosixFileAccess()
  ) throws(Qcow2Error) {
    do throws(Qcow2Error) {
      let layout = try NewImageLayout(options)
      let file = try access.create(path)
      do throws(Qcow2Error) {
        try layout.write(to: file)
        try file.synchronize()
        try access.synchronizeDirectory(of: path)
      } catch let error {
        try access.remove(path)
        throw error
      }
    } catch let error {
      throw error.in(path)
    }
  }
}

/// Where the structures of an empty image lie.
private struct NewImageLayout {
  let header: Header
  let tableClusters: Int
  let blockCount: Int
  let l1Clusters: Int

  var clusterCount: Int { 1 + tableClusters + blockCount + l1Clusters }

  init(_ options: CreateOptions) throws(Qcow2Error) {
    guard options.clusterSize.nonzeroBitCount == 1,
      Limits.clusterBits.contains(UInt32(options.clusterSize.trailingZeroBitCount))
    else {
      throw .malformed("Cluster size must be a power of two between 512 and 2048k")
    }
    guard options.version == 2 || options.version == 3 else {
      throw .unsupported("Unsupported qcow2 version \(options.version)")
    }
    guard options.refcountBits.nonzeroBitCount == 1, options.refcountBits <= 64 else {
      throw .malformed("Refcount width must be a power of two and may not exceed 64 bits")
    }
    guard options.version == 3 || options.refcountBits == 16 else {
      throw .malformed(
        "Different refcount widths than 16 bits require compatibility level 1.1 or above (version 3)"
      )
    }
    let (rounded, overflow) = options.size.addingReportingOverflow(511)
    guard !overflow else { throw .overLimit("Image is too big") }
    let size = rounded / 512 * 512
    let geometry = ClusterGeometry(
      clusterBits: options.clusterSize.trailingZeroBitCount,
      refcountOrder: options.refcountBits.trailingZeroBitCount, hasExtendedL2: false)
    let l1Size = max(1, geometry.l1EntryCount(diskSize: size))
    guard l1Size <= UInt64(Limits.l1ByteCount / 8) else {
      throw .overLimit("Image is too big (try using a larger cluster size)")
    }
    l1Clusters = geometry.clusterCount(bytes: Int(l1Size) * 8)

    var blocks = 1
    var tables = 1
    while true {
      let total = 1 + tables + blocks + l1Clusters
      let neededBlocks =
        (total + geometry.refcountBlockEntryCount - 1) / geometry.refcountBlockEntryCount
      let neededTables = geometry.clusterCount(bytes: neededBlocks * 8)
      if neededBlocks <= blocks, neededTables <= tables { break }
      blocks = max(blocks, neededBlocks)
      tables = max(tables, neededTables)
    }
    blockCount = blocks
    tableClusters = tables
    header = Header(
      version: options.version, backingFileOffset: 0, backingFileSize: 0,
      clusterBits: UInt32(geometry.clusterBits), size: size, cryptMethod: 0, l1Size: UInt32(l1Size),
      l1TableOffset: geometry.offset(of: HostCluster(1 + tables + blocks)),
      refcountTableOffset: geometry.offset(of: HostCluster(1)),
      refcountTableClusters: UInt32(tables), snapshotCount: 0, snapshotsOffset: HostOffset(0),
      incompatible: [], compatible: [], autoclear: [],
      refcountOrder: UInt32(geometry.refcountOrder),
      rest: options.version == 3
        ? [UInt8](repeating: 0, count: Header.writtenByteCount - Header.version3ByteCount) : [])
  }

  /// Everything that is not zero; the header comes last, so that a half-made file is no image.
  func write(to file: any ImageFile) throws(Qcow2Error) {
    let geometry = header.geometry
    try file.setLength(Int64(clusterCount) << Int64(geometry.clusterBits))
    let first = 1 + tableClusters
    try file.writeWords(
      (0..<blockCount).map { geometry.offset(of: HostCluster(first + $0)).bytes },
      at: header.refcountTableOffset)
    for block in 0..<blockCount {
      let perBlock = geometry.refcountBlockEntryCount
      let counts = (0..<perBlock).map { UInt32(block * perBlock + $0 < clusterCount ? 1 : 0) }
      try file.write(
        RefcountBlockCoding.encode(counts, order: geometry.refcountOrder),
        at: Int64(geometry.offset(of: HostCluster(first + block)).bytes))
    }
    try file.write(header.encoded(), at: 0)
  }
}
