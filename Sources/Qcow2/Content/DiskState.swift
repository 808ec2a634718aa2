/// A state of the disk that an image keeps.
public enum DiskState: Sendable, Hashable {
  /// What the guest sees now, as far as it is in the file.
  case active
  /// What a snapshot keeps, by its position in ``Image/snapshots``.
  case snapshot(Int)
}

/// The L2 tables of one state of the disk.
struct DiskTree {
  /// Where each L2 table begins, without flags; 0 for none. VM state may follow behind the disk's.
  let l1: [UInt64]
  /// The disk's size in bytes.
  let size: UInt64
  /// L2 tables that exist only in memory, by the offset that is reserved for them.
  var newTables: [UInt64: [UInt64]] = [:]

  /// Reads and checks the L1 table of a state.
  init(_ state: DiskState, of image: Image) throws(Qcow2Error) {
    switch state {
    case .active:
      l1 = try image.readActiveL1().map { $0 & TableEntry.offsetMask }
      size = image.header.size
    case .snapshot(let position):
      let entry = image.table.entries[position]
      l1 = try image.readL1(of: entry).map { $0 & TableEntry.offsetMask }
      size = entry.diskSize ?? image.header.size
    }
  }

  /// The state that a draft makes the active one.
  init(active draft: ImageDraft) {
    l1 = draft.activeL1
    size = draft.size
    newTables = draft.newL2s
  }

  /// The state that a draft has for a snapshot, by the snapshot's position in the draft.
  init(snapshot position: Int, of draft: ImageDraft) throws(Qcow2Error) {
    l1 = try draft.l1(at: position)
    size = draft.table.entries[position].diskSize ?? draft.image.header.size
    newTables = draft.newL2s
  }

  /// The L2 table of an index; 0 for none.
  func table(at index: Int) -> UInt64 { index < l1.count ? l1[index] : 0 }
}
