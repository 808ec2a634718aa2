/// Where a snapshot keeps its VM state: in L2 tables of its own, behind all that its disk's size asks for.
///
/// ```
/// snapshot L1:  │ disk, l1EntryCount(diskSize) entries │ VM state │ nothing of interest │
/// ```
///
/// The state's first byte is where the first of these L1 entries begins. So it moves with the disk's size, and
/// the tables do not: whatever the disk's size, they can be shared as they are.
struct VMStateArea: Sendable, Hashable {
  /// The first L1 entry that is not the disk's.
  let firstEntry: Int
  /// The L2 tables from there on, without flags, as many as the state takes; 0 for none.
  let tables: [UInt64]
  /// Bytes of the state.
  let byteCount: UInt64

  /// Finds it.
  ///
  /// - Parameters:
  ///   - entry: the snapshot's.
  ///   - l1: its L1 table; flags do not matter.
  ///   - currentDiskSize: the disk's size in bytes where the entry does not say.
  ///   - geometry: the image's.
  /// - Throws: ``Qcow2Error`` (corrupt) if the table is too small for the state.
  init(
    of entry: SnapshotEntry, l1: [UInt64], currentDiskSize: UInt64, _ geometry: ClusterGeometry
  ) throws(Qcow2Error) {
    let first = geometry.l1EntryCount(diskSize: entry.diskSize ?? currentDiskSize)
    let count = geometry.l1EntryCount(diskSize: entry.vmStateSize)
    let available = UInt64(l1.count) - min(UInt64(l1.count), first)
    guard count <= available else {
      throw .corrupt(
        "the L1 table is too small for \(entry.vmStateSize) bytes of VM state", advice: nil)
    }
    byteCount = entry.vmStateSize
    firstEntry = Int(clamping: first)
    tables = l1.dropFirst(firstEntry).prefix(Int(count)).map { $0 & TableEntry.offsetMask }
  }
}
