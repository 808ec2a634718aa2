/// The catalog's write-ahead log as a file in the page cache and on the disk.
///
/// A commit appends a frame and makes it durable; only then the index lists it, and others see it. Frames that
/// are not listed stay in the file: the next commit overwrites the first of them in the page cache, and where
/// all processes have ended before that, whoever opens the catalog rebuilds the index and lists them. A
/// failed fsync leaves frames clean that are not on the disk. After a power loss the catalog shows the longest
/// row of frames of one chain that the *disk* has, whatever was written to the database from the page cache.
/// A log begins anew under a new salt; until its header is on the disk, a power loss brings the old log back.
struct ModelLog: Sendable, Hashable {
  /// A frame: the row that it leads to. Its checksum covers the frames before it, so it counts behind these only.
  struct Frame: Sendable, Hashable {
    let row: ModelRow
    /// Tells frames apart that say the same: no two writers write the same bytes.
    let stamp: UInt8
    /// The frames before it in the chain.
    let chain: [UInt16]

    var link: UInt16 { UInt16(row.bits) | UInt16(stamp) << 8 }

    func stamped(_ stamp: UInt8) -> Frame { Frame(row: row, stamp: stamp, chain: chain) }
  }

  /// A place in the file.
  struct Slot: Sendable, Hashable {
    var cache: Frame?
    var disk: Frame?
    var isDirty = false

    var isLost: Bool { !isDirty && cache != disk }
  }

  /// The file's header: of the new chain in the page cache always.
  enum Header: Sendable, Hashable {
    case durable
    case dirty
    case lost
  }

  /// What is there without the frames below, durably.
  private(set) var base: ModelRow
  private(set) var slots: [Slot] = []
  /// How many frames the index lists.
  private(set) var listed = 0
  private(set) var header = Header.durable
  /// Whether frames of this chain were listed: the header is written with the first one only.
  private var isBegun = false
  /// What a power loss shows that brings the log from before the last new beginning back.
  private var old: Set<ModelRow> = []

  /// A log from which nothing can be lost.
  init(_ row: ModelRow) { base = row }

  /// A log of other commits with a frame that never reached the disk.
  static let withHole: ModelLog = {
    var log = ModelLog(.none)
    log.slots = [Slot(cache: Frame(row: .none, stamp: 0, chain: []), disk: nil)]
    log.listed = 1
    return log
  }()

  /// What programs see.
  var row: ModelRow { listed == 0 ? base : slots[listed - 1].cache?.row ?? base }

  /// Whether everything that is seen survives a power loss.
  var isClean: Bool { slots.isEmpty && header == .durable }

  // MARK: Commits

  /// Appends a frame, not durable and not listed yet.
  mutating func append(_ row: ModelRow) {
    if listed == slots.count { slots.append(Slot()) }
    let chain = slots[..<listed].compactMap { $0.cache?.link }
    let stamps = [slots[listed].cache, slots[listed].disk].compactMap { frame in
      frame?.row == row ? frame?.stamp : nil
    }
    let stamp = (0...2).first { !stamps.contains($0) } ?? 3
    slots[listed].cache = Frame(row: row, stamp: stamp, chain: chain)
    slots[listed].isDirty = true
    if header != .durable, !isBegun { header = .dirty }
  }

  /// An fsync that succeeds.
  mutating func synchronize() {
    for index in slots.indices where slots[index].isDirty {
      slots[index].disk = slots[index].cache
      slots[index].isDirty = false
    }
    if header == .dirty {
      header = .durable
      old = []
    }
  }

  /// The index lists the frame that was appended.
  mutating func list() {
    listed += 1
    isBegun = true
    normalize()
  }

  /// An fsync that fails: each page may have reached the disk or not, and none is written again.
  var failedSynchronizations: [ModelLog] {
    var results = [self]
    for index in slots.indices where slots[index].isDirty {
      results = results.flatMap { log in
        [log.slots[index].cache, log.slots[index].disk, nil].map { disk in
          var log = log
          log.slots[index].disk = disk
          log.slots[index].isDirty = false
          return log
        }
      }
    }
    if header == .dirty {
      results = results.flatMap { log in
        var kept = log
        kept.header = .durable
        kept.old = []
        var lost = log
        lost.header = .lost
        return [kept, lost]
      }
    }
    return results.map(\.normalized)
  }

  /// What the process whose fsync has failed notes for others, without an fsync: over the frame that failed, in the
  /// page cache.
  var noted: ModelLog {
    var log = self
    log.append(row)
    log.list()
    return log
  }

  /// A complete checkpoint, and the first frame of a log that begins anew; not durable and not listed yet.
  var restarted: ModelLog {
    var log = ModelLog(row)
    log.old = rowsAfterPowerLoss
    log.header = .dirty
    log.append(row)
    return log
  }

  /// The kernel has written dirty frames to the disk; the header stays as it is, for either is allowed for.
  var writtenBack: ModelLog {
    var log = self
    for index in log.slots.indices where log.slots[index].isDirty {
      log.slots[index].disk = log.slots[index].cache
      log.slots[index].isDirty = false
    }
    return log.normalized
  }

  /// The same where no power loss can follow: what is dirty is as good as on the disk.
  var withoutPowerLoss: ModelLog {
    var log = writtenBack
    if log.header == .dirty { log.header = .durable }
    return log.normalized
  }

  // MARK: What may happen to it

  /// What is seen when nobody had it open: every whole frame of the file, as the page cache or the disk has it.
  var rebuilt: [ModelLog] {
    var results = [self]
    for index in slots.indices where slots[index].isLost {
      results += results.map { log in
        var log = log
        log.slots[index].cache = log.slots[index].disk
        return log
      }
    }
    results = results.map { log in
      var log = log
      log.listed = Self.wholeCount(log.slots.map(\.cache))
      log.isBegun = log.isBegun || log.listed > 0
      return log.normalized
    }
    if header == .lost { results += old.map { ModelLog($0) } }
    return results
  }

  /// What is seen after a power loss: dirty pages are on the disk, are not, or are there in part.
  var rowsAfterPowerLoss: Set<ModelRow> {
    var rows = header == .durable ? [] : old
    if header == .lost { return rows }
    var disks: [[Frame?]] = [[]]
    for slot in slots {
      let choices = slot.isDirty ? [slot.cache, slot.disk, nil] : [slot.disk]
      disks = disks.flatMap { disk in choices.map { disk + [$0] } }
    }
    for disk in disks {
      let count = Self.wholeCount(disk)
      rows.insert(count == 0 ? base : disk[count - 1]?.row ?? base)
    }
    return rows
  }

  /// How many frames make one chain.
  private static func wholeCount(_ frames: [Frame?]) -> Int {
    var chain: [UInt16] = []
    for (index, frame) in frames.enumerated() {
      guard let frame, frame.chain == chain else { return index }
      chain.append(frame.link)
    }
    return frames.count
  }

  // MARK: One value for what is the same

  private var normalized: ModelLog {
    var log = self
    log.normalize()
    return log
  }

  /// Takes frames that are listed and durable into the base, and forgets what can never count again.
  private mutating func normalize() {
    while listed > 0, let slot = slots.first, !slot.isDirty, slot.cache == slot.disk,
      let frame = slot.cache
    {
      base = frame.row
      slots.removeFirst()
      listed -= 1
      for index in slots.indices {
        slots[index].cache = Self.behind(frame, slots[index].cache)
        slots[index].disk = Self.behind(frame, slots[index].disk)
      }
    }
    forgetDeadFrames()
    if slots.isEmpty, !isBegun, old == [base] {
      // The next commit writes the header again; until then nothing tells the two logs apart.
      header = .durable
    }
    if header == .durable {
      isBegun = false
      old = []
    }
  }

  /// Frames that are not listed count only where everything before them in their chain may still be found.
  private mutating func forgetDeadFrames() {
    var chains: Set<[UInt16]> = [[]]
    for index in slots.indices {
      if index >= listed {
        if let frame = slots[index].cache, !chains.contains(frame.chain) {
          slots[index].cache = nil
        }
        if let frame = slots[index].disk, !chains.contains(frame.chain) {
          slots[index].disk = nil
        }
        if slots[index].cache == nil { slots[index].isDirty = false }
      }
      let frames = [slots[index].cache, slots[index].disk].compactMap(\.self)
      chains = Set(frames.map { $0.chain + [$0.link] })
    }
    // What says the same as is seen already adds nothing, unless it hides another frame of the disk.
    while slots.count > listed, let slot = slots.last,
      (slot.cache == nil && slot.disk == nil)
        || (slot.cache?.row == row && !slot.isLost && slots.count == listed + 1
          && (slot.disk == nil || slot.disk == slot.cache))
    {
      slots.removeLast()
    }
    // With nothing behind them, stamps only tell the frame of the page cache from that of the disk.
    if let slot = slots.last {
      let isTold = slot.cache != slot.disk && slot.cache?.row == slot.disk?.row
      slots[slots.count - 1].disk = slot.disk?.stamped(isTold ? 1 : 0)
      slots[slots.count - 1].cache = slot.cache?.stamped(0)
    }
  }

  /// A frame of a chain that begins behind another one; nil if it was of another chain.
  private static func behind(_ first: Frame, _ frame: Frame?) -> Frame? {
    guard let frame, frame.chain.first == first.link else { return nil }
    return Frame(row: frame.row, stamp: frame.stamp, chain: Array(frame.chain.dropFirst()))
  }
}
