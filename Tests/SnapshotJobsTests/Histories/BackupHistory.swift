import Jobs
import Qcow2
import SnapshotJobs
import TestOracles

/// Two disks with dirty bitmaps and device states, and all that must be true of them after what was done by
/// chance: by jobs, by jobs that were killed, by QEMU on a disk, and by QEMU on an overlay of it.
struct BackupHistory {
  /// What a bitmap has to have.
  private struct Tracked {
    var isEnabled: Bool
    /// Sectors that have changed while it was enabled, since it was clean.
    var changed: Set<Int> = []
  }

  /// A machine's state in memory and its disks, at one moment.
  private struct Moment {
    let state: StateBytes
    let disks: [DiskBytes]
  }

  let bench: Workbench
  let nodes: [Node]
  private var generator: SeededGenerator
  private var number = 0
  /// What was done.
  private(set) var story: [String] = []
  /// How many saves have kept a device state.
  private(set) var keptStateCount = 0
  private var active: [DiskBytes]
  private var snapshots: [[String: DiskBytes]] = [[:], [:]]
  private var bitmaps: [[String: Tracked]] = [[:], [:]]
  private var moments: [Moment] = []

  init(seed: Int) throws {
    generator = SeededGenerator(seed: UInt64(seed))
    bench = try Workbench()
    let options = [
      ["cluster_size=4096"], ["cluster_size=512"], ["extended_l2=on,cluster_size=16k"],
    ]
    nodes = try bench.makeTwoDisks(options: options[seed % options.count])
    active = try nodes.map { try Self.read($0) }
  }

  private static func read(_ node: Node) throws -> DiskBytes {
    try DiskBytes(GuestReader(Image.open(node.path, for: .peek)))
  }

  /// How many snapshots a disk has before one is deleted.
  private static let snapshotLimit = 6

  /// Does something and checks everything.
  mutating func advance() async throws {
    number += 1
    if snapshots[0].count > Self.snapshotLimit { try await delete() }
    switch roll(20) {
    case 0..<4: try writeAsGuest(roll(2))
    case 4: try writeThroughOverlay(roll(2))
    case 5..<7: try saveAsMachine()
    case 7..<10: try await save()
    case 10..<13: try await load()
    case 13: try await delete()
    case 14..<17: try changeBitmaps()
    default: try interrupt()
    }
    try check()
  }

  // MARK: Steps

  private mutating func writeAsGuest(_ index: Int) throws {
    let offset = roll(1000) << 10
    let length = (1 + roll(24)) << 10
    let place = "\(offset) \(min(length, (1 << 20) - offset))"
    let command = ["write -P \(1 + roll(255))", "write -z", "discard", "write -P 3"][roll(4)]
    story.append("disk\(index): qemu-io \(command) \(place)")
    try QemuIO.run(["\(command) \(place)"], on: nodes[index].path)
    try follow(index)
  }

  private mutating func writeThroughOverlay(_ index: Int) throws {
    story.append("disk\(index): write to an overlay, qemu-img commit")
    try nodes[index].writeThroughOverlay(UInt8(1 + roll(255)))
    try follow(index)
  }

  /// A running machine takes a snapshot with its state; it goes on afterwards.
  private mutating func saveAsMachine() throws {
    let tag = newTag()
    story.append("machine saves \(tag)")
    let state = StateBytes(count: 1000 + roll(50_000), seed: UInt64(number))
    try nodes[0].saveAsMachine(tag, state)
    try QemuImg.createSnapshot(tag, in: nodes[1].path)
    for index in nodes.indices { snapshots[index][tag] = active[index] }
    moments.append(Moment(state: state, disks: active))
  }

  private mutating func save() async throws {
    let old = commonTag()
    let isReplaced = old != nil && roll(3) == 0
    let tag = isReplaced ? old ?? "" : newTag()
    var request = SnapshotRequest.save(tag, on: nodes, replace: isReplaced)
    request.vmstate = roll(3) == 0 ? "disk1" : "disk0"
    let cleared = roll(2) == 0 ? anyBitmap() : nil
    if let cleared {
      request.laterBitmapActions = [.clear(node: "disk\(cleared.index)", name: cleared.name)]
    }
    story.append("save \(tag) (replace: \(isReplaced)), clear \(cleared.map { "\($0)" } ?? "none")")
    try await bench.succeed(request, on: nodes)
    for index in nodes.indices { snapshots[index][tag] = active[index] }
    if let cleared { bitmaps[cleared.index][cleared.name]?.changed = [] }
    for node in nodes where try node.state(tag) != nil { keptStateCount += 1 }
  }

  private mutating func load() async throws {
    guard let tag = commonTag() else { return }
    let kept = roll(3) == 0 ? newTag() : nil
    var request = SnapshotRequest.load(tag, on: nodes, saveCurrent: kept)
    let cleared = roll(3) == 0 ? anyBitmap() : nil
    let isLate = roll(2) == 0
    if let cleared {
      let action = BitmapAction.clear(node: "disk\(cleared.index)", name: cleared.name)
      if isLate {
        request.laterBitmapActions = [action]
      } else {
        request.earlierBitmapActions = [action]
      }
    }
    story.append(
      "load \(tag), keep \(kept ?? "nothing"), clear \(cleared.map { "\($0)" } ?? "none") "
        + (isLate ? "afterwards" : "before"))
    try await bench.succeed(request, on: nodes)
    for index in nodes.indices {
      if let kept { snapshots[index][kept] = active[index] }
      if let cleared, cleared.index == index, !isLate { bitmaps[index][cleared.name]?.changed = [] }
      try follow(index)
      if active[index] != snapshots[index][tag] {
        throw OracleError("disk\(index) is not at \(tag)")
      }
      if let cleared, cleared.index == index, isLate { bitmaps[index][cleared.name]?.changed = [] }
    }
  }

  private mutating func delete() async throws {
    guard let tag = commonTag() else { return }
    let isPartial = roll(4) == 0
    story.append("delete \(tag)\(isPartial ? " of disk1 only" : "")")
    let devices = isPartial ? [nodes[1]] : nodes
    try await bench.succeed(.delete(tag, on: devices), on: nodes)
    for index in nodes.indices where !isPartial || index == 1 { snapshots[index][tag] = nil }
  }

  private mutating func changeBitmaps() throws {
    let index = roll(2)
    let node = "disk\(index)"
    let name = anyName(index)
    let action: BitmapAction
    switch (name, roll(7)) {
    case (let name?, 0) where bitmaps[index].count > 2:
      action = .remove(node: node, name: name)
      bitmaps[index][name] = nil
    case (let name?, 1):
      action = .clear(node: node, name: name)
      bitmaps[index][name]?.changed = []
    case (let name?, 2):
      action = .disable(node: node, name: name)
      bitmaps[index][name]?.isEnabled = false
    case (let name?, 3):
      action = .enable(node: node, name: name)
      bitmaps[index][name]?.isEnabled = true
    case (let name?, 4):
      guard let source = anyBitmap() else { return }
      action = .merge(
        node: node, target: name,
        sources: [BitmapReference(node: "disk\(source.index)", name: source.name)])
      let changed = bitmaps[source.index][source.name]?.changed ?? []
      bitmaps[index][name]?.changed.formUnion(changed)
    default:
      guard bitmaps[index].count < 3 else { return }
      let isEnabled = roll(4) > 0
      action = .add(
        node: node, name: "b\(number)", granularity: [512, 4096, 65536][roll(3)],
        isEnabled: isEnabled)
      bitmaps[index]["b\(number)"] = Tracked(isEnabled: isEnabled)
    }
    story.append("\(action)")
    try ImageChange(
      [.bitmap(action)], on: Machine(name: nil, nodes: nodes),
      access: ImageAccess(log: bench.catalog)
    ).commit()
  }

  /// A job is killed in the middle of its commit; perhaps somebody writes; then recovery decides.
  private mutating func interrupt() throws {
    guard let tag = commonTag() else { return }
    let kind = roll(3)
    let new = newTag()
    let request: SnapshotRequest =
      switch kind {
      case 0: .save(new, on: nodes)
      case 1: .delete(tag, on: nodes)
      default: .load(tag, on: nodes)
      }
    let hasRecord = roll(2) == 0
    let published = hasRecord ? nodes.indices.filter { _ in roll(2) == 0 } : []
    let fenced = nodes.indices.filter {
      hasRecord ? !published.contains($0) : roll(2) == 0
    }
    let id = try JobID("killed\(number)")
    story.append(
      "killed: \(request.operation) \(kind == 0 ? new : tag), published \(published), fenced \(fenced)"
    )
    try bench.interrupt(
      [(id, request)], on: nodes, hasRecord: hasRecord, published: published, fenced: fenced)
    let victim = nodes.indices.filter { !fenced.contains($0) }.randomElement(using: &generator)
    let isWritten = victim != nil && roll(3) > 0
    if isWritten, let victim {
      let isOverlay = roll(2) == 0
      story.append("disk\(victim) is written to\(isOverlay ? " through an overlay" : "")")
      let byte = UInt8(1 + roll(255))
      if isOverlay {
        try nodes[victim].writeThroughOverlay(byte)
      } else {
        try nodes[victim].writeAsGuest(byte)
      }
    }
    let written = try nodes.enumerated().map { index, node in
      fenced.contains(index)
        ? try DiskBytes(GuestReader(UnfencedImage(node.path).image)) : try Self.read(node)
    }
    if let finding = try bench.recovery.run().first(where: { !$0.isResolved }) {
      throw OracleError("recovery has not come to its end: \(finding)")
    }
    try adopt(
      kind, tag: tag, new: new, written: written, victim: isWritten ? victim : nil,
      isDone: hasRecord)
  }

  /// Takes over what recovery has made of the disks, if it may be so.
  private mutating func adopt(
    _ kind: Int, tag: String, new: String, written: [DiskBytes], victim: Int?, isDone: Bool
  ) throws {
    var isNew: [Bool] = []
    for index in nodes.indices {
      let before = active[index]
      let names = try QemuImg.snapshotNames(nodes[index].path)
      let now = try Self.read(nodes[index])
      switch kind {
      case 0: isNew.append(names.contains(new))
      case 1: isNew.append(!names.contains(tag))
      default: isNew.append(now == snapshots[index][tag])
      }
      let isLoaded = kind == 2 && now == snapshots[index][tag]
      if index == victim, now != written[index] {
        throw OracleError("what was written to disk\(index) is lost")
      }
      if now != written[index], now != before, !isLoaded {
        throw OracleError("disk\(index) has content of no moment")
      }
      try follow(index)
      if kind == 0, names.contains(new) {
        let saved = try snapshot(new, of: index)
        if saved != before, saved != written[index] {
          throw OracleError("disk\(index): \(new) is of no moment")
        }
        snapshots[index][new] = saved
      }
      if kind == 1, !names.contains(tag) { snapshots[index][tag] = nil }
    }
    // What a load has made of a disk cannot be told where a guest has written since, or where it
    // changed nothing.
    let tellsAll = kind != 2 || (victim == nil && isDone)
    if tellsAll, isNew != nodes.map({ _ in isDone }) {
      throw OracleError(
        "recovery is \(isDone ? "forward" : "back"), and the disks are new: \(isNew)")
    }
    story.append("now: \(isNew)")
  }

  // MARK: Checks

  /// Notes what a disk is now, and what enabled bitmaps have to have for that.
  private mutating func follow(_ index: Int) throws {
    let now = try Self.read(nodes[index])
    let changed = now.sectors(differingFrom: active[index])
    active[index] = now
    for (name, bitmap) in bitmaps[index] where bitmap.isEnabled {
      bitmaps[index][name]?.changed.formUnion(changed)
    }
  }

  private func snapshot(_ tag: String, of index: Int) throws -> DiskBytes? {
    let image = try Image.open(nodes[index].path, for: .peek)
    guard let position = image.snapshots.firstIndex(where: { $0.name == tag }) else { return nil }
    return try DiskBytes(GuestReader(image, snapshot: position))
  }

  private func check() throws {
    for (index, node) in nodes.enumerated() {
      let check = try QemuImg.check(node.path)
      guard check.isClean else { throw OracleError("disk\(index): \(check.text)") }
      let image = try Image.open(node.path, for: .check)
      let report = try image.check()
      guard report.exitCode == 0 else { throw OracleError("disk\(index): \(report.messages)") }
      guard try Self.read(node) == active[index] else { throw OracleError("disk\(index) differs") }
      guard Set(image.snapshots.map(\.name)) == Set(snapshots[index].keys) else {
        throw OracleError("disk\(index) has the snapshots \(image.snapshots.map(\.name))")
      }
      for tag in snapshots[index].keys where try snapshot(tag, of: index) != snapshots[index][tag] {
        throw OracleError("disk\(index): \(tag) differs")
      }
      try checkBitmaps(image, index)
      try checkStates(index)
    }
  }

  /// A bitmap that misses a change makes a backup that is wrong, and nobody notices.
  private func checkBitmaps(_ image: Image, _ index: Int) throws {
    guard Set(image.bitmaps.map(\.name)) == Set(bitmaps[index].keys) else {
      throw OracleError("disk\(index) has the bitmaps \(image.bitmaps.map(\.name))")
    }
    for bitmap in image.bitmaps {
      guard let tracked = bitmaps[index][bitmap.name] else { continue }
      guard !bitmap.isInconsistent, bitmap.isEnabled == tracked.isEnabled else {
        throw OracleError("disk\(index): bitmap '\(bitmap.name)' is \(bitmap)")
      }
      let content = try image.bitmapContent(named: bitmap.name)
      let missed = tracked.changed.filter {
        !content.contains(UInt64($0 * DiskBytes.sectorByteCount))
      }
      guard missed.isEmpty else {
        throw OracleError(
          "disk\(index): bitmap '\(bitmap.name)' misses \(missed.sorted().prefix(9))")
      }
    }
  }

  /// A state with other disks than its own destroys the guest's filesystems when it is resumed.
  private func checkStates(_ index: Int) throws {
    for tag in snapshots[index].keys {
      guard let state = try nodes[index].state(tag) else { continue }
      guard let moment = moments.first(where: { $0.state.bytes == state }) else {
        throw OracleError("disk\(index): \(tag) has a damaged device state")
      }
      for other in nodes.indices {
        if let disk = snapshots[other][tag], disk != moment.disks[other] {
          throw OracleError("\(tag) has a device state with which disk\(other) does not go")
        }
      }
    }
  }

  // MARK: Chance

  private mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

  private func newTag() -> String { "t\(number)" }

  private mutating func commonTag() -> String? {
    snapshots[0].keys.filter { snapshots[1][$0] != nil }.sorted().randomElement(using: &generator)
  }

  private mutating func anyName(_ index: Int) -> String? {
    bitmaps[index].keys.sorted().randomElement(using: &generator)
  }

  private mutating func anyBitmap() -> (index: Int, name: String)? {
    let index = roll(2)
    return anyName(index).map { (index, $0) }
  }
}
