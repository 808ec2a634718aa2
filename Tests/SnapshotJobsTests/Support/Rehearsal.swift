import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestFiles
import TestOracles
import Testing

/// One job on two disks, performed again and again with something going wrong at another point.
final class Rehearsal {
  /// The jobs.
  enum Piece: String, CaseIterable, Sendable {
    case save, load, delete, replace
    /// A snapshot, and bitmaps that are cleared with it.
    case point
    /// The same with device state in the snapshot `old`, which goes with the disks where it is saved, copied
    /// to the other disk, or deleted.
    case saveState, copyState, loadState, deleteState

    func request(on nodes: [Node]) -> SnapshotRequest {
      switch self {
      case .save, .saveState: return .save("new", on: nodes)
      case .copyState:
        var request = SnapshotRequest.save("new", on: nodes)
        request.vmstate = "disk1"
        return request
      case .load, .loadState: return .load("old", on: nodes)
      case .delete, .deleteState: return .delete("old", on: nodes)
      case .replace: return .save("old", on: nodes, replace: true)
      case .point: return Self.point(on: nodes)
      }
    }

    /// A snapshot, and bitmaps that are cleared with it.
    private static func point(on nodes: [Node]) -> SnapshotRequest {
      var request = SnapshotRequest.save("new", on: nodes)
      request.laterBitmapActions = nodes.map {
        .clear(node: $0.name.description, name: "daily")
      }
      return request
    }

    /// Whether the snapshot has device state.
    var hasState: Bool {
      [.saveState, .copyState, .loadState, .deleteState].contains(self)
    }

    /// How many snapshots keep the device state after the job.
    var keeperCount: Int {
      switch self {
      case .saveState, .copyState: 2
      case .loadState: 1
      case .save, .load, .delete, .replace, .deleteState, .point: 0
      }
    }

    /// Whether the device state goes with the disks before and after the job.
    var isPresent: (before: Bool, after: Bool) {
      switch self {
      case .saveState, .copyState: (true, true)
      case .loadState: (false, true)
      case .deleteState: (true, false)
      case .save, .load, .delete, .replace, .point: (false, false)
      }
    }
  }

  let bench: Workbench
  let nodes: [Node]
  let request: SnapshotRequest
  private let piece: Piece
  private let state = StateBytes(count: 50_000)
  private let masters: [[UInt8]]
  private let old: [DiskState]
  private var new: [DiskState] = []
  private var performanceCount = 0

  init(_ piece: Piece, options: [String] = ["cluster_size=4096"]) throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks(options: options)
    for (index, node) in nodes.enumerated() {
      if index == 0, piece.hasState {
        try node.saveAsMachine("old", state)
      } else {
        try QemuImg.createSnapshot("old", in: node.path)
      }
      try QemuBitmaps.add("daily", to: node.path)
      try QemuIO.run(["write -P 0x61 8k 60k", "write -P 0x62 900k 8k"], on: node.path)
    }
    self.piece = piece
    request = piece.request(on: nodes)
    if piece.isPresent.before { try bench.load("old", on: nodes) }
    masters = try nodes.map(Self.bytes)
    try bench.keepCatalog()
    old = try nodes.map { try DiskState(accordingToQemu: $0.path) }
    let ours = try nodes.map { try DiskState(Image.open($0.path, for: .read)) }
    guard ours == old else { throw OracleError("the engine reads \(ours), qemu-img \(old)") }

    // Once without a fault, to know what shall become of the disks.
    _ = try perform(FaultyStorage())
    try expectAgreement(nodes)
    new = try nodes.map { try DiskState(accordingToQemu: $0.path) }
  }

  private static func bytes(_ node: Node) throws -> [UInt8] {
    let file = try PosixFile(opening: node.path, .read)
    return try file.read(byteCount: Int(try file.length()), at: 0)
  }

  /// Puts the disks back as they were at the start.
  func restoreDisks() throws {
    for (node, master) in zip(nodes, masters) {
      let file = try PosixFile(opening: node.path, .readWrite)
      try file.setLength(0)
      try file.write(master, at: 0)
    }
  }

  // MARK: One performance

  /// Runs the job in a process of its own as far as the catalog is concerned, which ends when the
  /// power does.
  ///
  /// What `JobRunner` does is done here step by step: it would outlive the power.
  func perform(_ storage: FaultyStorage) throws -> JobID {
    performanceCount += 1
    let id = try JobID("job\(performanceCount)")
    let log = FaultyLog(catalog: bench.catalog, storage: storage)
    var record = try bench.catalog.insert([jobRecord(id, request)])[0]
    func enter(_ status: JobStatus, _ error: JobError? = nil) throws {
      guard !storage.isOff else { return }
      record.status = status
      record.error = error
      try bench.catalog.record([record], at: Timestamp(microseconds: 2_000_000))
    }
    func fail(_ error: any Error) throws {
      try enter(.aborting)
      try enter(.concluded, error as? JobError ?? JobError(.general, "\(error)"))
    }

    try enter(.running)
    let prepared: any PreparedWork
    do {
      prepared = try SnapshotWork(
        request, machine: Machine(name: nil, nodes: nodes),
        access: ImageAccess(log: log, files: ObservedFiles(observer: storage))
      ).prepare(JobControl())
    } catch {
      try fail(error)
      return id
    }
    try enter(.waiting)
    try enter(.pending)
    let outcome: CommitOutcome
    do throws(JobError) {
      outcome = try ImageCommitter(log: log)
        .announce([CommitMember(id: id, work: prepared)], waits: false).commit()
    } catch {
      outcome = .rolledBack(error)
    }
    switch outcome {
    case .committed:
      _ = try prepared.finish()
      try enter(.concluded)
    case .rolledBack(let error):
      // An undo that fails leaves garbage in free clusters.
      try? prepared.undo()
      try fail(error)
    case .inDoubt(let error):
      prepared.abandon()
      try enter(.pending, error)
    }
    return id
  }

  /// Performs the job with a fault, and recovers; perhaps with a second fault, and again.
  ///
  /// - Returns: whether both faults have come about.
  func rehearse(
    _ fault: FaultyStorage.Fault, duringRecovery second: FaultyStorage.Fault? = nil
  ) throws -> Bool {
    try restoreDisks()
    try bench.restart(asKept: piece.hasState)
    let storage = FaultyStorage(fault)
    let id = try perform(storage)
    guard storage.hasFailed else { return false }
    let comment = Comment(rawValue: "\(piece), \(fault), then \(second.map { "\($0)" } ?? "none")")
    try expectWholeDisks(comment)

    if let second {
      try bench.restart()
      let storage = FaultyStorage(second)
      let log = FaultyLog(catalog: bench.catalog, storage: storage)
      _ = try? Recovery(
        log: log, runner: bench.runner, files: ObservedFiles(observer: storage)
      ).run()
      guard storage.hasFailed else { return false }
      try expectWholeDisks(comment)
    }

    try bench.restart()
    let findings = try bench.recovery.run()
    let unresolved = findings.filter { !$0.isResolved }
    #expect(unresolved.isEmpty, comment)
    #expect(try bench.recovery.run().isEmpty, comment)
    #expect(try bench.unsettledCommits().isEmpty, comment)
    let states = try nodes.map { node in
      #expect(try !UnfencedImage.isFenced(node.path), comment)
      return try DiskState(Image.open(node.path, for: .read))
    }
    let job = try #require(try bench.job(id))
    #expect(job.status == .concluded, comment)
    #expect(states == (job.error == nil ? new : old), comment)
    if piece.hasState {
      let isPresent = job.error == nil ? piece.isPresent.after : piece.isPresent.before
      #expect(try bench.hasState(nodes) == isPresent, comment)
      let keepers = try nodes.flatMap { node in
        try ["old", "new"].filter { try QemuImg.snapshotNames(node.path).contains($0) }
          .compactMap { try node.state($0) }
      }
      let count = job.error == nil ? piece.keeperCount : 1
      #expect(keepers == [[UInt8]](repeating: state.bytes, count: count), comment)
    }
    for node in nodes {
      let check = try QemuImg.check(node.path)
      #expect(check.isClean, "\(comment.rawValue): \(check.text)")
    }
    return true
  }

  /// Each disk is old or new and clean, or fenced; and no mixed set without a fence.
  private func expectWholeDisks(_ comment: Comment) throws {
    var states: [DiskState] = []
    var isFenced = false
    for (index, node) in nodes.enumerated() {
      let check = try QemuImg.check(node.path)
      let state: DiskState
      if try UnfencedImage.isFenced(node.path) {
        isFenced = true
        #expect(check.status != 0, comment)
        #expect(check.text.contains(fenceWords), "\(comment.rawValue): \(check.text)")
        state = try DiskState(UnfencedImage(node.path).image)
        #expect(state == old[index], comment)
      } else {
        #expect(check.isClean, "\(comment.rawValue): \(check.text)")
        state = try DiskState(Image.open(node.path, for: .peek))
      }
      #expect(state == old[index] || state == new[index], comment)
      states.append(state)
    }
    if states != old, states != new { #expect(isFenced, comment) }
  }
}

/// What QEMU says when it refuses a fenced image.
let fenceWords = "Unsupported qcow2 feature(s): snapjob commit pending: run snapjob recover"
