import DeviceState
import FoundationEssentials
import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles

@testable import Monitor

/// One operation as it is performed: its steps one after the other, each of which is wholly done or not at all.
struct Performance {
  /// One step.
  struct Step {
    /// The jobs that do it; none for a change that no job makes.
    let jobs: [JobID]
    /// Does it, and tells whether it was done.
    let perform: (ProductProcess) throws -> Bool
  }

  let steps: [Step]
  /// The paths that come into being, one with each step.
  let createdPaths: [String]

  /// Makes the disks, and everything that goes before the operation.
  init(_ operation: Operation, at place: Workplace, protection: Protection) throws {
    let process = try ProductProcess(
      catalogPath: place.catalogPath, journal: Journal(), protection: protection)
    defer { process.end() }
    var setup = Setup(operation: operation, place: place, process: process)
    try setup.makeDisks()
    (steps, createdPaths) = try setup.steps()
  }

  /// Performs all steps with a journal; goes on after a step that failed, as a user does.
  ///
  /// - Parameters:
  ///   - place: where.
  ///   - journal: what is done goes into it, and may fail by it.
  ///   - protection: the guards of the commit protocol.
  ///   - hasBystander: whether another process has the catalog open all the time, and recovers in the end.
  ///   - onStep: told of each step that was done.
  /// - Returns: what the jobs had to say besides their ends.
  /// - Throws: if the tools of the test fail.
  @discardableResult
  func run(
    at place: Workplace, _ journal: Journal, _ protection: Protection,
    hasBystander: Bool = false, onStep: (Int) throws -> Void = { _ in }
  ) throws -> [String] {
    let bystander: ProductProcess?
    let process: ProductProcess
    do {
      bystander =
        try hasBystander
        ? ProductProcess(catalogPath: place.catalogPath, journal: journal, protection: protection)
        : nil
      process = try ProductProcess(
        catalogPath: place.catalogPath, journal: journal, protection: protection)
    } catch is JobError {
      // The fault has met the very start: nothing else is done.
      journal.finish()
      return []
    }
    defer { bystander?.end() }
    let late = protection.isOvertaken ? bystander?.beginRecovery(protection) : nil
    for (index, step) in steps.enumerated() {
      let isDone = (try? step.perform(process)) ?? false
      try place.noteCompanions()
      guard isDone else { break }
      journal.note(.acknowledge(index + 1))
      try onStep(index + 1)
    }
    process.end(isFollowed: hasBystander)
    journal.revive()
    late?.end()
    if let bystander {
      _ = try? bystander.recovery(protection).run()
      try place.noteCompanions()
    }
    return process.remarks
  }
}

/// What goes before an operation.
private struct Setup {
  let operation: Operation
  let place: Workplace
  let process: ProductProcess
  private var streams: [UInt8] = []

  init(operation: Operation, place: Workplace, process: ProductProcess) {
    (self.operation, self.place, self.process) = (operation, place, process)
  }

  private var nodes: [Node] { place.nodes }

  /// The device state that QEMU has written for tests.
  private static let stateFile: String = {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return "/\(root)/testdata/savevm-microvm.qevm"
  }()

  mutating func makeDisks() throws {
    let format = place.format
    for (index, node) in nodes.enumerated() {
      try QemuImg.create(node.path, size: "\(format.diskSize)", options: format.options)
      if format.hasBitmaps || operation.needsBitmaps {
        try QemuBitmaps.add("daily", to: node.path, granularity: 4096)
        try QemuBitmaps.add("weekly", to: node.path, granularity: 8192, isEnabled: false)
      }
      try QemuIO.run(format.firstWrites(disk: index), on: node.path)
      // A disk that snapjob has never seen, beside others that it has.
      if index == 1 { try QemuImg.createSnapshot("old", in: node.path) }
    }
    let own = nodes.enumerated().filter { $0.offset != 1 }.map(\.element)
    try expect(try process.run([job("setup", .init(.save, "old", own), own)]))
    for (index, node) in nodes.enumerated() {
      try QemuIO.run(format.laterWrites(disk: index), on: node.path)
    }
    if operation == .prune {
      try expect(try process.run([job("setup1", .init(.save, "second", nodes), nodes)]))
    }
    if operation == .repair { try nodes.forEach(leak) }
    if operation == .receive { try makeStream() }
  }

  /// Leaves a cluster counted that nothing uses.
  private func leak(_ node: Node) throws {
    try QemuIO.run(["write -P 0x77 \(place.format.diskSize * 3 / 4) 4k"], on: node.path)
    let file = try PosixFile(opening: node.path, .readWrite)
    let header = try file.read(byteCount: 104, at: 0)
    let number = { (bytes: ArraySlice<UInt8>) in bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) } }
    let l1 = number(header[40..<48])
    let clusterSize = Int64(1) << number(header[20..<24])
    let cluster = Int64(place.format.diskSize * 3 / 4) / clusterSize
    let table = number(try file.read(byteCount: 8, at: l1 + cluster / (clusterSize / 8) * 8)[...])
    let entry = (table & 0x00ff_ffff_ffff_fe00) + cluster % (clusterSize / 8) * 8
    try file.write([UInt8](repeating: 0, count: 8), at: entry)
  }

  /// A stream with a bitmap for each disk, which has none itself.
  private mutating func makeStream() throws {
    for node in nodes {
      try QemuBitmaps.add("sent", to: node.path, granularity: 4096)
      try QemuIO.run(["write -P 0x55 \(place.format.diskSize / 4) 12k"], on: node.path)
    }
    let channel = BufferChannel()
    _ = try BitmapSending(
      BitmapTransferRequest(.send, peer: "file:test", mapping: nil), machine: place.machine,
      access: process.access, open: { _ throws(JobError) in channel }, onStage: { _ in }
    ).prepare(JobControl()).finish()
    streams = channel.outgoing
    for node in nodes {
      try Command.run("qemu-img", ["bitmap", "--remove", "-f", "qcow2", node.path, "sent"])
    }
  }

  // MARK: Steps

  func steps() throws -> ([Performance.Step], [String]) {
    let machine = place.machine
    let nodes = nodes
    func one(_ request: SnapshotRequest) -> ([Performance.Step], [String]) {
      ([step("job", request, nodes)], [])
    }
    switch operation {
    case .save: return one(.init(.save, "new", nodes))
    case .load: return one(.init(.load, "old", nodes))
    case .delete: return one(.init(.delete, "old", nodes))
    case .replace:
      var request = SnapshotRequest(.save, "old", nodes)
      request.replace = true
      return one(request)
    case .saveCurrent:
      var request = SnapshotRequest(.load, "old", nodes)
      request.saveCurrent = "now"
      return one(request)
    case .clearBitmap:
      var request = SnapshotRequest(.save, "new", nodes)
      request.laterBitmapActions = nodes.map {
        .clear(node: $0.name.description, name: "daily")
      }
      return one(request)
    case .prune:
      var request = SnapshotRequest(.delete, "old", nodes)
      request.moreTags = ["second"]
      return one(request)
    case .bitmapAdd:
      let actions = nodes.map {
        ImageAction.bitmap(
          .add(node: $0.name.description, name: "fresh", granularity: 4096, isEnabled: true))
      }
      let step = Performance.Step(jobs: []) { process in
        try ImageChange(actions, on: machine, access: process.access).commit()
        return true
      }
      return ([step], [])
    case .receive:
      let stream = streams
      let id = try JobID("job")
      let step = Performance.Step(jobs: [id]) { process in
        let channel = BufferChannel(stream)
        return try process.run([
          (
            id, "{}",
            BitmapReceiving(
              BitmapTransferRequest(.receive, peer: "file:test", mapping: nil), machine: machine,
              access: process.access, open: { _ throws(JobError) in channel }, onStage: { _ in })
          )
        ])
      }
      return ([step], [])
    case .repair:
      let steps = nodes.map { node in
        Performance.Step(jobs: []) { process in
          let report = try process.access.repair(node.path, .all)
          return report.leaks == 0
        }
      }
      return (steps, [])
    case .nodeCreate: return try creations()
    case .devices: return ([try loading(), step("job", .init(.save, "new", nodes), nodes)], [])
    case .grouped:
      let groups = [[nodes[0]], Array(nodes.dropFirst())]
      let ids = try [JobID("job0"), JobID("job1")]
      let step = Performance.Step(jobs: ids) { process in
        try process.run([
          Self.job(ids[0], .init(.save, "new", groups[0]), groups[0], process),
          Self.job(ids[1], .init(.load, "old", groups[1]), groups[1], process),
        ])
      }
      return ([step], [])
    case .pending:
      let id = try JobID("job")
      let step = Performance.Step(jobs: [id]) { process in
        try process.run(
          [Self.job(id, .init(.load, "old", nodes), nodes, process)], isFinalizedLater: true)
      }
      return ([step], [])
    }
  }

  private func loading() throws -> Performance.Step {
    let id = try JobID("loading")
    let machine = place.machine
    return Performance.Step(jobs: [id]) { process in
      try process.run([
        (
          id, "{}",
          DeviceStateLoading(
            DeviceStateRequest(.load, filename: Self.stateFile), machine: machine,
            access: process.access)
        )
      ])
    }
  }

  /// New images with their nodes.
  private func creations() throws -> ([Performance.Step], [String]) {
    let paths = nodes.indices.map { place.directory.path("created\($0).qcow2") }
    let steps = try paths.enumerated().map { index, path in
      let id = try JobID("job\(index)")
      let creation = try JSONDecoder().decode(
        ImageCreation.self,
        from: Data(
          """
          {"path": "\(path)", "size": 262144, "clusterSize": 4096, "version": 3, "refcountBits": 16}
          """.utf8))
      let node = Node(name: try NodeName("created\(index)"), path: path)
      return Performance.Step(jobs: [id]) { process in
        let images = StoredImages(access: process.access, secondReader: NoSecondReader())
        guard
          try process.run([(id, "{}", ImageCreationWork(request: creation, images: images))])
        else { return false }
        try process.catalog.addNode(node, toMachine: Machine.defaultName)
        return true
      }
    }
    return (steps, paths)
  }

  private func step(
    _ name: String, _ request: SnapshotRequest, _ nodes: [Node]
  ) -> Performance.Step {
    let id = try? JobID(name)
    return Performance.Step(jobs: [id].compactMap(\.self)) { process in
      try process.run([Self.job(JobID(name), request, nodes, process)])
    }
  }

  private func job(
    _ name: String, _ request: SnapshotRequest, _ nodes: [Node]
  ) throws -> (id: JobID, arguments: String, work: any JobWork) {
    try Self.job(JobID(name), request, nodes, process)
  }

  private static func job(
    _ id: JobID, _ request: SnapshotRequest, _ nodes: [Node], _ process: ProductProcess
  ) throws -> (id: JobID, arguments: String, work: any JobWork) {
    (
      id, String(decoding: try JSONEncoder().encode(request), as: UTF8.self),
      SnapshotWork(
        request, machine: Machine(name: nil, nodes: nodes), access: process.access)
    )
  }

  private func expect(_ isDone: Bool) throws {
    guard isDone else { throw OracleError("the disks for \(operation) could not be made") }
  }
}

extension SnapshotRequest {
  fileprivate init(_ operation: Operation, _ tag: String, _ nodes: [Node]) {
    self.init(
      operation: operation, tag: tag, devices: nodes.map(\.name.description), vmstate: nil)
  }
}

/// Nothing is verified here.
private struct NoSecondReader: SecondReader {
  let name = "none"

  func open(path: String) throws(JobError) -> any SecondReaderImage {
    throw JobError(.general, "there is no second reader")
  }
}
