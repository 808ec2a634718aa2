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
  /// The names of persistent dirty bitmaps.
  public let bitmapNames: [String]
}
