/// One image in a state of the world.
struct ModelImage: Sendable, Hashable {
  /// What keeps others from writing to it.
  enum Holder {
    static let nobody: UInt8 = 0
    static let worker: UInt8 = 1
    /// The first recovery; the next number is the second one.
    static let recovery: UInt8 = 2
    static let otherCatalog: UInt8 = 4
    /// Somebody who takes no part: a guest, or a reader that keeps writers out.
    static let somebody: UInt8 = 5
  }

  /// What became of the data that X has prepared in free clusters.
  enum Data {
    static let none: UInt8 = 0
    /// In the page cache, still to be written.
    static let cached: UInt8 = 1
    static let durable: UInt8 = 2
    /// In the page cache alone, for an fsync has failed.
    static let lost: UInt8 = 3
  }

  /// The first sector as every program sees it.
  var cache = ModelSector(bits: 0)
  /// The first sector on the disk.
  var disk = ModelSector(bits: 0)
  /// Whether the page is still to be written. A failed fsync leaves it clean.
  var isDirty = false
  /// Whether the image cannot be reached.
  var isAway = false
  /// Whether others may have used the clusters of the prepared data.
  var isStale = false
  var holder = Holder.nobody
  var data = Data.none
  /// 1 + the tree that another program has written to durably; 0 for none since X began.
  var foreignTree: UInt8 = 0
  /// The sector as it was when X was prepared.
  var preparedBits: UInt8 = 0

  var isFree: Bool { holder == Holder.nobody }
  /// Whether a program that takes no part may open it for writing.
  var isOpenable: Bool {
    cache.isPlain && !isAway && (holder == Holder.nobody || holder == Holder.somebody)
  }
  var before: ModelSector { ModelSector.prepared(preparedBits) }
  var after: ModelSector { before.afterX }

  mutating func write(_ sector: ModelSector) {
    cache = sector
    isDirty = true
  }

  /// An fsync that succeeds. It does not help a page that a failed one has left clean.
  mutating func synchronize() {
    if isDirty {
      disk = cache
      isDirty = false
    }
    if data == Data.cached { data = Data.durable }
  }

  /// An fsync that fails.
  ///
  /// - Parameter isWritten: whether the sector has reached the disk all the same.
  mutating func synchronizeInVain(isWritten: Bool) {
    if isWritten, isDirty { disk = cache }
    isDirty = false
    if data == Data.cached { data = Data.lost }
  }

  mutating func losePower(keepsSector: Bool, keepsData: Bool) {
    if isDirty, keepsSector { disk = cache }
    cache = disk
    isDirty = false
    holder = Holder.nobody
    if data == Data.cached { data = keepsData ? Data.durable : Data.none }
    if data == Data.lost { data = Data.none }
  }

  var packed: UInt64 {
    var word = UInt64(cache.bits) | UInt64(disk.bits) << 8
    word |= UInt64(holder) << 16 | UInt64(data) << 19 | UInt64(foreignTree) << 21
    word |= UInt64(preparedBits) << 24
    if isDirty { word |= 1 << 26 }
    if isAway { word |= 1 << 27 }
    if isStale { word |= 1 << 28 }
    return word
  }

  init() {}

  init(packed word: UInt64) {
    cache = ModelSector(bits: UInt8(truncatingIfNeeded: word))
    disk = ModelSector(bits: UInt8(truncatingIfNeeded: word >> 8))
    holder = UInt8(truncatingIfNeeded: word >> 16 & 7)
    data = UInt8(truncatingIfNeeded: word >> 19 & 3)
    foreignTree = UInt8(truncatingIfNeeded: word >> 21 & 7)
    preparedBits = UInt8(truncatingIfNeeded: word >> 24 & 3)
    isDirty = word & 1 << 26 != 0
    isAway = word & 1 << 27 != 0
    isStale = word & 1 << 28 != 0
  }
}

/// A state of the world: images, catalog, and everybody who is at work. Machines and the catalog's log stand in
/// it by their numbers in the ``WorkerBook``, ``RecoveryBook`` and ``LogBook``.
struct ModelWorld: Sendable, Hashable {
  /// What the second catalog has entered about its commit.
  enum OtherEntry {
    static let none: UInt8 = 0
    static let intent: UInt8 = 1
    static let record: UInt8 = 2
    static let settled: UInt8 = 3
  }

  /// Three words that say everything.
  struct Packed: Sendable, Hashable {
    let images: UInt64
    let machines: UInt64
    let rest: UInt64
  }

  var first = ModelImage()
  var second = ModelImage()
  var log: UInt16 = 0
  var worker: UInt16 = 0
  /// The recovery that the worker itself does; 0 for none.
  var ownRecovery: UInt16 = 0
  var recovery0: UInt16 = 0
  var recovery1: UInt16 = 0
  /// How far the second catalog's worker is: 0 idle, 1 prepared, 2 fenced, 3 recorded, 4 published.
  var otherStep: UInt8 = 0
  var otherEntry = OtherEntry.none
  /// Whether the two images have each other's path.
  var isSwapped = false
  var powerLosses: UInt8 = 0
  var failures: UInt8 = 0
  /// Whether the catalog was put back from a copy.
  var isCatalogRestored = false
  /// Whether the chain has begun that the protocol leaves open: one image alone, and a kill between a failed
  /// fsync and the fence after it.
  var isInOpenChain = false

  subscript(image: Int) -> ModelImage {
    get { image == 0 ? first : second }
    set { if image == 0 { first = newValue } else { second = newValue } }
  }

  func recovery(_ number: Int) -> UInt16 { number == 0 ? recovery0 : recovery1 }

  mutating func setRecovery(_ number: Int, _ id: UInt16) {
    if number == 0 { recovery0 = id } else { recovery1 = id }
  }

  /// Which image has the path of a member.
  func image(at path: Int) -> Int { isSwapped ? 1 - path : path }

  mutating func release(_ holder: UInt8) {
    if first.holder == holder { first.holder = ModelImage.Holder.nobody }
    if second.holder == holder { second.holder = ModelImage.Holder.nobody }
  }

  var packed: Packed {
    let machines =
      UInt64(worker) | UInt64(ownRecovery) << 16 | UInt64(recovery0) << 32
      | UInt64(recovery1) << 48
    var rest = UInt64(log) | UInt64(otherStep) << 16 | UInt64(otherEntry) << 19
    rest |= UInt64(powerLosses) << 24 | UInt64(failures) << 28
    if isSwapped { rest |= 1 << 21 }
    if isCatalogRestored { rest |= 1 << 22 }
    if isInOpenChain { rest |= 1 << 23 }
    return Packed(
      images: first.packed | second.packed << 32, machines: machines, rest: rest)
  }

  init() {}

  init(_ packed: Packed) {
    first = ModelImage(packed: packed.images)
    second = ModelImage(packed: packed.images >> 32)
    worker = UInt16(truncatingIfNeeded: packed.machines)
    ownRecovery = UInt16(truncatingIfNeeded: packed.machines >> 16)
    recovery0 = UInt16(truncatingIfNeeded: packed.machines >> 32)
    recovery1 = UInt16(truncatingIfNeeded: packed.machines >> 48)
    log = UInt16(truncatingIfNeeded: packed.rest)
    otherStep = UInt8(truncatingIfNeeded: packed.rest >> 16 & 7)
    otherEntry = UInt8(truncatingIfNeeded: packed.rest >> 19 & 3)
    isSwapped = packed.rest & 1 << 21 != 0
    isCatalogRestored = packed.rest & 1 << 22 != 0
    isInOpenChain = packed.rest & 1 << 23 != 0
    powerLosses = UInt8(truncatingIfNeeded: packed.rest >> 24 & 15)
    failures = UInt8(truncatingIfNeeded: packed.rest >> 28 & 15)
  }
}
