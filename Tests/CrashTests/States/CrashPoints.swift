import TestOracles

/// The states in which a crash can leave the files of a process, of which its journal tells.
///
/// A process that is killed leaves what programs see. A power loss leaves of each file what an fsync has made
/// durable, and of everything else any subset: whole changes, or sectors of 512 bytes of them.
struct CrashPoints {
  /// Changes of which every subset is tried.
  static let enumeratedChanges = 10

  /// How a process ends.
  private enum End {
    case killed
    /// Of the changes that are not durable, those whose bit is set survive.
    case powerLoss(mask: UInt64)
    /// So many of the changes that are not durable survive, in the order of files and of time.
    case powerLossBehind(count: Int)
    /// Sectors survive by chance.
    case torn(seed: UInt64)
  }

  /// The files after each number of events.
  private var prefixes: [[String: FileModel]] = []
  private var acknowledged: [Int] = []
  private let name: String
  private let loneImages: Set<String>
  private var candidates: [(prefix: Int, end: End)] = []
  private var next = 0

  /// The states of a process.
  ///
  /// - Parameters:
  ///   - entries: what was done.
  ///   - files: the files before.
  ///   - start: so many steps were told to be done before.
  ///   - name: what was done, for messages.
  ///   - loneImages: the images that are committed each alone.
  ///   - onlyAfterFault: whether the states before the failure, which others have as well, are left out.
  ///   - eventsAfterFailure: how many events after the failure the process ends at most.
  ///   - seed: of the order in which states are taken.
  init(
    of entries: [Journal.Entry], from files: [String: FileModel], acknowledged start: Int,
    name: String,
    loneImages: Set<String>, onlyAfterFault: Bool = false, eventsAfterFailure: Int? = nil,
    seed: UInt64
  ) {
    self.name = name
    self.loneImages = loneImages
    prefixes = [files]
    acknowledged = [start]
    var first = 0
    for (index, entry) in entries.enumerated() {
      var files = prefixes[index]
      files.apply(entry)
      prefixes.append(files)
      var count = acknowledged[index]
      if case .acknowledge(let number) = entry.event { count = number }
      acknowledged.append(count)
      if case .fault = entry.event, first == 0 { first = index + 1 }
    }
    var generator = SeededGenerator(seed: seed)
    let last = prefixes.count - 1
    addCandidates(
      from: onlyAfterFault ? first : 0,
      through: eventsAfterFailure.map { min(first + $0, last) } ?? last, &generator)
  }

  private mutating func addCandidates(
    from first: Int, through last: Int, _ generator: inout SeededGenerator
  ) {
    var certain: [(prefix: Int, end: End)] = []
    var sampled: [(prefix: Int, end: End)] = []
    for prefix in first..<max(first, last + 1) {
      let count = Self.pendingCount(prefixes[prefix])
      certain += [(prefix, .killed), (prefix, .powerLoss(mask: 0))]
      if count <= Self.enumeratedChanges {
        sampled += (1..<max(1, UInt64(1) << UInt64(count))).map { (prefix, .powerLoss(mask: $0)) }
      } else {
        sampled += (0..<64).map { _ in (prefix, .powerLoss(mask: generator.next())) }
        // What a disk has written in order is hardly ever met by chance.
        sampled += (1...count).map { (prefix, .powerLossBehind(count: $0)) }
      }
      sampled += (0..<8).map { _ in (prefix, .torn(seed: generator.next())) }
    }
    certain.shuffle(using: &generator)
    sampled.shuffle(using: &generator)
    // Both kinds come in turn, as long as there are any.
    candidates = []
    var (left, right) = (certain[...], sampled[...])
    while !left.isEmpty || !right.isEmpty {
      if let one = left.popFirst() { candidates.append(one) }
      if let one = right.popFirst() { candidates.append(one) }
    }
  }

  private static func pendingCount(_ files: [String: FileModel]) -> Int {
    files.values.reduce(0) { $0 + $1.pending.count + ($1.survives == nil ? 1 : 0) }
  }

  /// The next state; nil once there is none left. States may come again.
  mutating func nextState() -> CrashState? {
    guard next < candidates.count else { return nil }
    let (prefix, end) = candidates[next]
    next += 1
    let story = "\(name), event \(prefix)"
    switch end {
    case .killed:
      return CrashState(
        files: prefixes[prefix], acknowledged: acknowledged[prefix], story: "\(story), killed",
        isLoneChain: isLoneChain(prefixes[prefix]))
    case .powerLoss(let mask):
      return lose(prefix, "\(story), power loss \(String(mask, radix: 2))") { change, _ in
        mask >> UInt64(change % 64) & 1 != 0
      }
    case .powerLossBehind(let count):
      return lose(prefix, "\(story), power loss behind \(count)") { change, _ in change < count }
    case .torn(let seed):
      return lose(prefix, "\(story), torn \(seed)") { change, sector in
        var generator = SeededGenerator(seed: seed &+ UInt64(change) &* 7919 &+ UInt64(sector))
        return generator.next() & 1 != 0
      }
    }
  }

  private func lose(
    _ prefix: Int, _ story: String, _ survives: (_ change: Int, _ sector: Int) -> Bool
  ) -> CrashState {
    CrashState(
      files: prefixes[prefix].afterPowerLoss(survives), acknowledged: acknowledged[prefix],
      story: story)
  }

  /// Whether the new first sector of an image alone is visible, but the fsync over it has failed.
  private func isLoneChain(_ files: [String: FileModel]) -> Bool {
    loneImages.contains { path in
      guard let model = files[path], model.hasLost else { return false }
      return model.durable.bytes(at: 0, count: 512) != model.cached.bytes(at: 0, count: 512)
    }
  }
}

extension [String: FileModel] {
  /// The files after a power loss.
  ///
  /// - Parameter survives: whether a change that is not durable, by its number over all files, or a sector of
  ///   it, is on the disk.
  /// - Returns: the files as the next boot has them.
  func afterPowerLoss(_ survives: (_ change: Int, _ sector: Int) -> Bool) -> [String: FileModel] {
    var files = self
    var base = 0
    for (path, model) in self.sorted(by: { $0.key < $1.key }) {
      let start = base + (model.survives == nil ? 1 : 0)
      files[path] = model.afterPowerLoss(keepsName: survives(base, 0)) { survives(start + $0, $1) }
      base = start + model.pending.count
    }
    return files
  }
}
