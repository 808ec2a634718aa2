/// What can be said of an image without reading its content (`ImageInfo` of qapi/block-core.json).
public struct ImageSummary: Sendable, Hashable {
  /// 2 or 3.
  public let version: UInt32
  /// Bytes in a cluster.
  public let clusterSize: Int
  /// The disk's size in bytes.
  public let virtualSize: UInt64
  /// Bytes that the file occupies.
  public let actualSize: Int64
  /// The dirty feature bit.
  public let isDirty: Bool
  /// The corrupt feature bit.
  public let isCorrupt: Bool
  /// The lazy-refcounts feature bit.
  public let hasLazyRefcounts: Bool
  /// The extended-L2 feature bit.
  public let hasExtendedL2: Bool
  /// `zlib` or `zstd`.
  public let compressionType: String
  /// Bits of a refcount.
  public let refcountBits: Int
  /// The backing file's name, if any; the file is never opened.
  public let backingFile: String?
  /// The backing file's format, if the image names it.
  public let backingFormat: String?
  /// Whether the content is encrypted.
  public let isEncrypted: Bool
  /// The snapshot table.
  public let snapshots: [Snapshot]
  /// The persistent dirty bitmaps.
  public let bitmaps: [Bitmap]
}

extension Image {
  /// What can be said of the image without reading its content.
  public func summary() throws(Qcow2Error) -> ImageSummary {
    let name = { (bytes: [UInt8]) in String(decoding: bytes, as: UTF8.self) }
    return ImageSummary(
      version: version, clusterSize: clusterSize, virtualSize: virtualSize,
      actualSize: try file.allocatedByteCount(), isDirty: header.incompatible.contains(.dirty),
      isCorrupt: header.incompatible.contains(.corrupt),
      hasLazyRefcounts: header.compatible.contains(.lazyRefcounts),
      hasExtendedL2: header.incompatible.contains(.extendedL2),
      compressionType: header.compressionType == 1 ? "zstd" : "zlib",
      refcountBits: 1 << geometry.refcountOrder, backingFile: area.backingFileName.map(name),
      backingFormat: area.ext(HeaderExtension.backingFormat).map { name($0.data) },
      isEncrypted: header.cryptMethod != 0, snapshots: snapshots, bitmaps: bitmaps)
  }
}
