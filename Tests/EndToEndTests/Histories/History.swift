import Qcow2
import TestOracles

/// An image, and all that it must contain after what was done to it.
struct History {
  let image: FormattedImage
  private let program: Program
  private var choice: StepChoice
  /// What the guest must see.
  private(set) var active: GuestContent
  /// What each snapshot must contain.
  private(set) var snapshots: [String: GuestContent] = [:]
  /// What was done.
  private(set) var steps: [HistoryStep] = []

  /// Every how many steps qemu-img reads all states of an image that snapjob can read.
  private static let qemuReadInterval = 10

  init(seed: UInt64, format: ImageFormat) throws {
    program = try Program()
    image = try FormattedImage(format, in: program.directory)
    let pattern = program.path("pattern")
    choice = StepChoice(seed: seed, format: format, patternFile: pattern)
    active = try image.content()
    try GuestScript.writePattern(pattern, clusterSize: format.clusterSize)
  }

  /// What was done, for a failure's message.
  var story: String {
    steps.enumerated().map { "\($0 + 1). \($1)" }.joined(separator: "\n")
  }

  /// Does something and checks everything.
  mutating func advance() throws {
    let step = choice.next(tags: snapshots.keys.sorted(), size: active.bytes.count)
    steps.append(step)
    try perform(step)
    try check()
  }

  private mutating func perform(_ step: HistoryStep) throws {
    switch step {
    case .guest(let commands): try image.io(commands)
    case .crash(let commands, save: _):
      try image.crash(after: commands)
      active = try image.content()
    case .resize(let size): try image.resize(to: size)
    case .qemuSave(let tag): try image.snapshot("-c", tag)
    case .qemuLoad(let tag): try image.snapshot("-a", tag)
    case .qemuDelete(let tag): try image.snapshot("-d", tag)
    case .save, .replace, .load, .saveCurrent, .delete: break
    }
    if let arguments = step.arguments {
      let result = try program.attempt(arguments + ["--file", image.path])
      guard result.status == 0 else { throw result.failure() }
    }
    try expect(step)
  }

  /// Works out what must be there now.
  private mutating func expect(_ step: HistoryStep) throws {
    switch step {
    case .guest, .resize: active = try image.content()
    case .save(let tag), .replace(let tag), .qemuSave(let tag), .crash(_, save: let tag):
      snapshots[tag] = active
    case .load(let tag), .qemuLoad(let tag): active = try content(tag)
    case .saveCurrent(let new, load: let tag):
      snapshots[new] = active
      active = try content(tag)
    case .delete(let tag), .qemuDelete(let tag): snapshots[tag] = nil
    }
  }

  private func content(_ tag: String) throws -> GuestContent {
    guard let content = snapshots[tag] else { throw OracleError("there is no '\(tag)'") }
    return content
  }

  /// Throws unless both checks find nothing and every state is what it was when it was made.
  private func check() throws {
    let check = try image.check()
    guard check.status == 0 else { throw check.failure() }
    let report = try Image.open(image.path, for: .check).check()
    guard report.exitCode == 0 else {
      throw OracleError("snapjob finds: \(report.messages.joined(separator: "\n"))")
    }
    if image.format.isReadable { try checkContentBySnapjob() }
    let isTenth = steps.count % Self.qemuReadInterval == 0
    if !image.format.isReadable || isTenth { try checkContentByQemu() }
    if isTenth { try checkDifferences() }
  }

  /// Throws unless what snapjob says of the differences between any two states is what their content
  /// and the tables say.
  private func checkDifferences() throws {
    let opened = try Image.open(image.path, for: .read)
    let tables = try RawTables(image.path)
    let tags = opened.snapshots.map(\.name)
    let points = try tags.enumerated().map { position, tag in
      HistoryPoint(
        state: .snapshot(position), content: try content(tag),
        mapping: try tables.mapping(of: tag, in: try content(tag)))
    }
    let present = HistoryPoint(
      state: .active, content: active, mapping: try tables.mapping(of: nil, in: active))
    for (index, old) in points.enumerated() {
      for new in points[(index + 1)...] + [present] {
        let ranges = try opened.differences(from: old.state, to: new.state)
        try DifferenceProof(old, new, tables).check(ranges)
      }
    }
    guard let tag = tags.last else { return }
    let told = try program.attempt(
      ["diff", "--from", tag, "--to", "current", "--json", "--file", image.path])
    guard told.status == 0 else { throw told.failure() }
    let ranges = try opened.differences(from: .snapshot(tags.count - 1), to: .active)
    let list = try JSONValue(parsing: told.text).array?.map {
      [$0["offset"]?.int, $0["length"]?.int]
    }
    try require(
      list == ranges.map { [Int64($0.lowerBound), Int64($0.count)] },
      "snapjob diff prints \(told.text), and finds \(ranges)")
  }

  private func checkContentBySnapjob() throws {
    let opened = try Image.open(image.path, for: .read)
    let tags = opened.snapshots.map(\.name)
    try require(tags.sorted() == snapshots.keys.sorted(), "snapjob lists \(tags)")
    var reader = try GuestReader(opened)
    try require(GuestContent(readBy: &reader) == active, "snapjob reads another active state")
    for (position, tag) in tags.enumerated() {
      var reader = try GuestReader(opened, snapshot: position)
      let content = try GuestContent(readBy: &reader)
      try require(content == snapshots[tag], "snapjob reads another '\(tag)'")
    }
  }

  private func checkContentByQemu() throws {
    let tags = try image.tags()
    try require(tags.sorted() == snapshots.keys.sorted(), "qemu-img lists \(tags)")
    try require(image.content() == active, "qemu-img reads another active state")
    for tag in tags {
      // qemu-img reads a snapshot up to the present disk's end, wherever its own was.
      let expected = try content(tag)
      let byteCount = min(expected.bytes.count, active.bytes.count)
      let isEqual = try image.content(of: tag).prefix(byteCount) == expected.prefix(byteCount)
      try require(isEqual, "qemu-img reads another '\(tag)'")
    }
  }

  private func require(_ isTrue: Bool, _ message: String) throws {
    guard isTrue else { throw OracleError(message) }
  }
}
