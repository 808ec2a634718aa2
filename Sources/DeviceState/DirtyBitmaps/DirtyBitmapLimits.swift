/// What a stream of dirty bitmaps may ask of memory.
public enum DirtyBitmapLimits {
  /// Bytes of bits that a sender puts into one chunk; QEMU's `CHUNK_SIZE`.
  public static let sentChunkByteCount: UInt64 = 1 << 10
  /// Bytes of an alias: its length is one byte on the wire.
  public static let aliasByteCount = 255
  /// Bytes of a bitmap's name; QEMU's `BDRV_BITMAP_MAX_NAME_SIZE`.
  public static let bitmapNameByteCount = 1023
  /// Bytes of a node's name; QEMU's `sizeof_field(BlockDriverState, node_name) - 1`.
  public static let nodeNameByteCount = 31
  /// Bitmaps in one stream: as many as one image has room for.
  public static let bitmapCount = 65_535
  /// Bytes of the bits of one bitmap; QEMU's `BME_MAX_PHYS_SIZE`.
  public static let bitmapByteCount: UInt64 = 1 << 29
  /// What a run of bits costs beside them, in bytes, as many as there may be of 64 bits each.
  static let runByteCount: UInt64 = 64
  /// Bytes of bits that are not all 0, of all bitmaps of a stream together: twice what QEMU's qcow2
  /// driver takes for one bitmap.
  public static let contentByteCount: UInt64 = 1 << 30
}
