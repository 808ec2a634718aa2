/// Every limit that content from outside meets before anything is allocated or read, with its origin.
enum Limits {
  /// QEMU's `MIN_CLUSTER_BITS` and `MAX_CLUSTER_BITS` (block/qcow2.h).
  static let clusterBits: ClosedRange<UInt32> = 9...21
  /// QEMU's `QCOW_MAX_REFTABLE_SIZE`.
  static let refcountTableByteCount = 8 << 20
  /// QEMU's `QCOW_MAX_L1_SIZE`; also of a snapshot's L1.
  static let l1ByteCount = 32 << 20
  /// What all L1 tables of an image may claim beyond the length of its file before a check or a verification gives
  /// up. Ours: 65536 tables that lie on each other would be read for hours.
  static let spareL1ByteCount = 64 * l1ByteCount
  /// QEMU's `QCOW_MAX_SNAPSHOTS`.
  static let snapshotCount = 65536
  /// QEMU's `QCOW_MAX_SNAPSHOTS_SIZE` (1024 bytes for each snapshot).
  static let snapshotTableByteCount = 1024 * 65536
  /// QEMU's `QCOW_MAX_SNAPSHOT_EXTRA_DATA`.
  static let snapshotExtraDataByteCount = 1024
  /// QEMU's length of a backing file name (block/qcow2.c).
  static let backingFileNameByteCount = 1023
  /// QEMU's `backing_format` without its terminating zero (block/block_int-common.h).
  static let backingFormatByteCount = 15
  /// `QCOW_MAX_CLUSTER_OFFSET`: host offsets have 56 bits.
  static let hostOffset: UInt64 = (1 << 56) - 1
  /// Refcounts are kept in 31 bits in memory; a larger stored value cannot be right, since no cluster
  /// can be referenced so often.
  static let refcount: UInt32 = (1 << 31) - 1
  /// Clusters that one refcount map keeps in memory at 4 bytes each: 4 GiB, enough for 64 TiB at
  /// 64 KiB clusters. Ours; QEMU reads block by block.
  static let refcountMapClusterCount = 1 << 30
  /// A tag as QEMU's API carries it: 256 bytes with the terminating zero (block/snapshot.h).
  static let tagByteCount = 255
  /// Separate ranges that a comparison of two states keeps in memory, at 16 bytes each. Ours; more would
  /// be a terabyte of which every other 64 KiB cluster differs.
  static let differenceCount = 1 << 23
  /// The only write that a disk promises not to tear.
  static let sectorByteCount = 512
}
