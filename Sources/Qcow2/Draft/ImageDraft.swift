/// A change of one image while it is worked out in memory: new snapshots, another active state, fewer
/// snapshots, bitmaps, guest data.
///
/// A draft reads the image and writes nothing. Several edits may follow each other; they all become
/// true together. ``settle(_:)`` works out the new refcounts, then ``prepare(_:)``
/// writes what is new into free clusters.
///
/// ```
///  active L1 ──► L2 ──► data        edits change only which tables the L1s point to
///  snapshot L1 ──┘                  and note by how much each L2 tree's references change
/// ```
public struct ImageDraft: Sendable {
  /// The image as it is on disk.
  public let image: Image

  /// The disk's size in bytes as it will be.
  var size: UInt64
  /// The L2 tables that the active L1 will point to; 0 for none.
  var activeL1: [UInt64]
  /// The snapshot table as it will be; new snapshots have no L1 on disk yet.
  var table: SnapshotTable
  /// The L2 tables of snapshots that are not on disk yet, by position in the table.
  var newL1s: [Int: [UInt64]] = [:]
  /// The refcounts as they will be.
  var refcounts: RefcountMap
  /// By how much the references to each L2 table, and to all that it points to, change.
  var treeDeltas: [UInt64: Int] = [:]
  /// L2 tables that exist only in memory, by the offset that is reserved for them.
  var newL2s: [UInt64: [UInt64]] = [:]
  /// Guest data that exists only in memory, by the offset that is reserved for it.
  var newData: [UInt64: [UInt8]] = [:]
  /// VM state that is copied into clusters which are reserved for it.
  var newVMStates: [VMStateCopy] = []
  /// Clusters of L1 tables that will not be needed.
  var droppedRuns: [HostRun] = []
  /// On-disk tables in which a COPIED flag was seen while their references were counted.
  var copiedSeen: Set<UInt64> = []
  /// What to do because the refcounts were counted anew; nil if those on disk are used.
  var recount: Recount?
  /// The persistent bitmaps as they will be.
  public var bitmaps: BitmapSet
  /// What the image's own structures occupy, each alone: no guest data may lie there. Nil for a repair, which
  /// takes references from no tree.
  var structures: ClusterUses?
  /// Bytes that the changed bitmaps will take, as an estimate from above; of a settled draft.
  var bitmapByteCount: Int64 = 0
  /// Whether the guest will see something else than before: a snapshot was loaded, or data written.
  public internal(set) var changesGuestData = false
  /// Whether ``settle(_:)`` has run.
  var isSettled = false

  var geometry: ClusterGeometry { image.geometry }

  /// Starts a draft that changes nothing yet.
  ///
  /// VM state that a program has left in the active L1 goes away with any change: it belongs to a
  /// snapshot, and a grown disk would show it to the guest. Anything else that lies beyond the disk stays.
  ///
  /// - Throws: ``Qcow2Error`` if the image's tables cannot be read or are damaged.
  public init(_ image: Image) throws(Qcow2Error) {
    do throws(Qcow2Error) {
      // Lazy refcounts that were not brought up to date are wrong on disk.
      let isDirty = image.header.incompatible.contains(.dirty)
      self.init(
        image, refcounts: try isDirty ? image.recountRefcounts() : image.loadRefcounts(),
        activeL1: try image.readActiveL1(),
        recount: isDirty ? Recount(clearedFeatures: .dirty) : nil)
      let places = try StructurePlaces(image)
      if let problem = places.problems.first {
        throw Qcow2Error.corrupt(problem)
      }
      if !isDirty { try refcounts.requireUse(of: places.uses) }
      structures = places.uses
    } catch let error {
      throw error.in(image.path)
    }
    table.completeDiskSizes(size)
    let needed = Int(geometry.l1EntryCount(diskSize: size))
    do {
      guard try image.hasOnlyVMState(in: activeL1.dropFirst(needed)) else { return }
    } catch let error {
      throw error.in(image.path)
    }
    for offset in activeL1.dropFirst(needed) { addTree(offset, -1) }
    activeL1 = Array(activeL1.prefix(needed))
  }

  /// Starts a draft with refcounts and an active L1 table that are known already.
  init(_ image: Image, refcounts: RefcountMap, activeL1: [UInt64], recount: Recount?) {
    self.image = image
    self.refcounts = refcounts
    self.activeL1 = activeL1.map { $0 & TableEntry.offsetMask }
    self.recount = recount
    size = image.header.size
    table = image.table
    bitmaps = BitmapSet(image)
  }

  /// What follows from refcounts that were counted anew: table and blocks are all written, and every COPIED
  /// flag of the active state is looked at.
  struct Recount: Sendable, Hashable {
    /// Feature bits that are not true any more.
    let clearedFeatures: IncompatibleFeatures
  }

  mutating func addTree(_ offset: UInt64, _ delta: Int) {
    guard offset != 0 else { return }
    let sum = treeDeltas[offset, default: 0] + delta
    treeDeltas[offset] = sum == 0 ? nil : sum
  }

  /// The snapshots as they will be, in table order.
  public var snapshots: [Snapshot] {
    table.entries.map { $0.summary(currentDiskSize: image.header.size) }
  }

  /// The position of a snapshot in the table, by its tag; nil if there is none.
  ///
  /// - Throws: ``Qcow2Error`` (conflict) if several snapshots have the tag.
  public func position(ofTag tag: String) throws(Qcow2Error) -> Int? {
    let found = table.entries.indices.filter { table.entries[$0].name == Array(tag.utf8) }
    guard found.count < 2 else {
      let ids = found.map { String(decoding: table.entries[$0].id, as: UTF8.self) }
      throw Qcow2Error.conflict(
        "\(found.count) snapshots are called '\(tag)' (ids \(ids.joined(separator: ", "))); "
          + "name the one that is meant by its id"
      ).in(image.path)
    }
    return found.first
  }
}

extension ImageDraft {
  /// What a new snapshot's entry says besides its tag.
  public struct SnapshotDate: Sendable, Hashable {
    /// Seconds since the epoch.
    public let seconds: UInt32
    /// Nanoseconds of the second.
    public let nanoseconds: UInt32

    /// Makes a date.
    public init(seconds: UInt32, nanoseconds: UInt32) {
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }
  }

  /// Takes a disk-only snapshot of the active state.
  ///
  /// - Parameters:
  ///   - tag: its name; uniqueness is the caller's to check.
  ///   - date: when.
  /// - Throws: ``Qcow2Error`` (overLimit) if the table is full.
  public mutating func takeSnapshot(tag: String, date: SnapshotDate) throws(Qcow2Error) {
    guard table.entries.count < Limits.snapshotCount else {
      throw Qcow2Error.overLimit(
        "the image has \(Limits.snapshotCount) snapshots already; delete one first"
      ).in(image.path)
    }
    for offset in activeL1 { addTree(offset, 1) }
    newL1s[table.entries.count] = activeL1
    table.entries.append(
      SnapshotEntry(
        l1TableOffset: HostOffset(0), l1Size: UInt32(activeL1.count),
        id: Array(table.nextID.utf8), name: Array(tag.utf8), dateSeconds: date.seconds,
        dateNanoseconds: date.nanoseconds, vmClockNanoseconds: 0, vmStateSize: 0, diskSize: size,
        icount: SnapshotEntry.noInstructionCount, unknownExtraData: []))
  }

  /// Makes a snapshot's state the active one; its VM state stays with the snapshot.
  ///
  /// Where both trees point to the same L2 table nothing changes. Enabled bitmaps record what differs, so that
  /// incremental backups go on; bitmaps follow the disk's size.
  public mutating func load(position: Int) throws(Qcow2Error) {
    let entry = table.entries[position]
    let newSize = entry.diskSize ?? size
    let needed = geometry.l1EntryCount(diskSize: newSize)
    guard needed <= UInt64(Limits.l1ByteCount / 8) else {
      throw Qcow2Error.overLimit("the snapshot's disk is too big").in(image.path)
    }
    var loaded = Array(try l1(at: position).prefix(Int(needed)))
    loaded += [UInt64](repeating: 0, count: Int(needed) - loaded.count)
    for offset in activeL1 { addTree(offset, -1) }
    for offset in loaded { addTree(offset, 1) }
    let old = DiskTree(active: self)
    activeL1 = loaded
    size = newSize
    changesGuestData = true
    do {
      try bitmaps.record(from: old, to: DiskTree(active: self))
    } catch let error {
      throw error.in(image.path)
    }
  }

  /// Removes a snapshot.
  public mutating func deleteSnapshot(position: Int) throws(Qcow2Error) {
    for offset in try l1(at: position) { addTree(offset, -1) }
    let entry = table.entries.remove(at: position)
    if newL1s.removeValue(forKey: position) == nil, entry.l1Size > 0 {
      droppedRuns.append(
        HostRun(
          first: geometry.cluster(at: entry.l1TableOffset),
          count: geometry.clusterCount(bytes: Int(entry.l1Size) * 8)))
    }
    newL1s = Dictionary(
      uniqueKeysWithValues: newL1s.map { ($0.key > position ? $0.key - 1 : $0.key, $0.value) })
  }

  /// The L2 tables that a snapshot's L1 points to.
  func l1(at position: Int) throws(Qcow2Error) -> [UInt64] {
    if let new = newL1s[position] { return new }
    do {
      return try image.readL1(of: table.entries[position]).map { $0 & TableEntry.offsetMask }
    } catch let error {
      throw error.in(image.path)
    }
  }
}
