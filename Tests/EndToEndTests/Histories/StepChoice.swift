import TestOracles

/// Chooses what happens next to an image, by chance.
struct StepChoice {
  private var generator: SeededGenerator
  private let format: ImageFormat
  /// Incompressible at its start only; for qemu-io.
  private let patternFile: String
  private var tagCount = 0

  /// How many snapshots an image has at most.
  private static let snapshotLimit = 5

  init(seed: UInt64, format: ImageFormat, patternFile: String) {
    generator = SeededGenerator(seed: seed)
    self.format = format
    self.patternFile = patternFile
  }

  /// The next operation on an image with these snapshots and a disk of this size.
  mutating func next(tags: [String], size: Int) -> HistoryStep {
    let kind = roll(100)
    let old = tags.isEmpty ? nil : tags[roll(tags.count)]
    guard let old else { return kind < 60 ? guest(size) : newSnapshot(kind) }
    switch kind {
    case ..<42: return guest(size)
    case ..<45: return resize(tags) ?? guest(size)
    case ..<50: return .qemuDelete(old)
    case ..<57: return .delete(old)
    case ..<63: return .replace(old)
    case ..<69: return isLoadedByQemu ? .qemuLoad(old) : guest(size)
    case ..<79: return .load(old)
    case _ where tags.count >= Self.snapshotLimit:
      return kind < 90 ? .delete(old) : .qemuDelete(old)
    case ..<83: return .saveCurrent(newTag(), load: old)
    default:
      let isLate = format.kind == .lazyRefcounts && kind < 88
      return isLate ? .crash(commands(size), save: newTag()) : newSnapshot(kind)
    }
  }

  /// With bitmaps QEMU loads no snapshot.
  private var isLoadedByQemu: Bool { format.kind != .bitmaps }

  private mutating func newSnapshot(_ number: Int) -> HistoryStep {
    number % 3 == 0 ? .qemuSave(newTag()) : .save(newTag())
  }

  private mutating func newTag() -> String {
    tagCount += 1
    return "t\(tagCount)"
  }

  private mutating func resize(_ tags: [String]) -> HistoryStep? {
    guard format.version == 3 || tags.isEmpty else { return nil }
    let whole = format.diskSize
    return .resize((whole / 2 + roll(whole)) / 512 * 512)
  }

  private mutating func guest(_ size: Int) -> HistoryStep { .guest(commands(size)) }

  /// One to three commands of qemu-io.
  private mutating func commands(_ size: Int) -> [String] {
    (0...roll(3)).flatMap { _ in command(size) }
  }

  private mutating func command(_ size: Int) -> [String] {
    let kind = roll(10)
    let isCompressing = format.kind == .zlib || format.kind == .zstd
    if isCompressing, kind < 5, let commands = compressed(size) { return commands }
    let unit = [1, 512, format.clusterSize][roll(3)]
    let offset = roll(size) / unit * unit
    let length = min(size - offset, max(unit, roll(size / 4) / unit * unit))
    guard length > 0 else { return ["read 0 512"] }
    switch kind {
    case 6: return ["write -z \(offset) \(length)"]
    case 7: return ["write -z -u \(offset) \(length)"]
    case 8, 9: return ["discard \(offset) \(length)"]
    default: return ["write -P \(1 + roll(255)) \(offset) \(length)"]
    }
  }

  /// Compressed clusters, in a hole: QEMU writes them nowhere else.
  private mutating func compressed(_ size: Int) -> [String]? {
    let cluster = format.clusterSize
    let count = 1 + roll(format.compressedClustersAtOnce)
    let start = roll(size / cluster)
    let length = min(count, size / cluster - start) * cluster
    guard length > 0 else { return nil }
    let place = "\(start * cluster) \(length)"
    let pattern = roll(2) == 0 ? "-s \(patternFile)" : "-P \(1 + roll(255))"
    return ["discard \(place)", "write -c \(pattern) \(place)"]
  }

  private mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }
}
