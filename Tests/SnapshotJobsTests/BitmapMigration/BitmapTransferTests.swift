import DeviceState
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Sending out of images, and receiving into images, over channels in memory.
@Suite struct BitmapTransferTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  private func access() -> ImageAccess { ImageAccess(log: bench.log) }

  private func send(
    _ mapping: BlockBitmapMapping? = nil, from nodes: [Node], over channel: MemoryChannel,
    _ change: (inout BitmapTransferRequest) -> Void = { _ in }
  ) throws -> SnapshotResult {
    var request = BitmapTransferRequest(.send, peer: "the test", mapping: mapping)
    request.isWithinProcess = true
    change(&request)
    let work = BitmapSending(
      request, machine: Machine(name: nil, nodes: nodes), access: access(),
      open: { _ throws(JobError) in channel }, onStage: { _ in })
    return try SnapshotResult(parsing: try work.prepare(JobControl()).finish())
  }

  private func receiving(
    _ stream: [UInt8], on nodes: [Node], _ mapping: BlockBitmapMapping? = nil,
    over channel: MemoryChannel? = nil, _ change: (inout BitmapTransferRequest) -> Void = { _ in }
  ) -> BitmapReceiving {
    var request = BitmapTransferRequest(.receive, peer: "file:test", mapping: mapping)
    change(&request)
    let channel = channel ?? MemoryChannel(stream)
    return BitmapReceiving(
      request, machine: Machine(name: nil, nodes: nodes), access: access(),
      open: { _ throws(JobError) in channel }, onStage: { _ in })
  }

  /// Receives as a job, with its commit.
  private func receive(
    _ stream: [UInt8], on nodes: [Node], _ mapping: BlockBitmapMapping? = nil,
    _ change: (inout BitmapTransferRequest) -> Void = { _ in }
  ) async throws -> JobRecord {
    let id = try JobID("receive")
    try bench.runner.start([
      JobRunner.Request(
        record: JobRecord(
          id: id, type: "x-snapjob-bitmap-receive", subject: nil, autoFinalize: true,
          autoDismiss: false, note: nil, arguments: "{}", created: .init(microseconds: 0)),
        work: receiving(stream, on: nodes, mapping, change))
    ])
    return try await bench.runner.wait(for: id)
  }

  /// Two bitmaps on the first disk and one on the second, with bits, and two other disks of the same sizes.
  private func makeBitmaps() throws -> [Node] {
    try QemuBitmaps.add("b0", to: nodes[0].path, granularity: 65536)
    try QemuBitmaps.add("b1", to: nodes[0].path, granularity: 512, isEnabled: false)
    try QemuBitmaps.add("b0", to: nodes[1].path, granularity: 4096)
    try QemuIO.write(0x31, at: 300 << 10, length: 70_000, in: nodes[0].path)
    try QemuIO.write(0x31, at: 0, length: 512, in: nodes[1].path)
    return [try bench.makeDisk("disk2"), try bench.makeDisk("disk3")].enumerated().map {
      index, node in
      Node(name: nodes[index].name, path: node.path)
    }
  }

  @Test func whatIsSentIsReceivedBitForBit() async throws {
    let others = try makeBitmaps()
    let channel = MemoryChannel()
    let before = try fileDigests(nodes)
    let sent = try send(from: nodes, over: channel)
    #expect(try fileDigests(nodes) == before)
    #expect(sent.bitmaps?.map { "\($0.node)/\($0.name)" } == ["disk0/b0", "disk0/b1", "disk1/b0"])
    #expect(sent.bitmaps?.map(\.dirtyByteCount) == [131_072, 0, 4096])
    #expect(channel.isFinished && channel.isClosed)
    let record = try await receive(channel.outgoing, on: others)
    #expect(record.error == nil)
    #expect(record.progress.current == record.progress.total)
    #expect(try SnapshotResult(parsing: record.result).bitmaps == sent.bitmaps)
    try expectAgreement(others)
    for (own, other) in zip(nodes, others) {
      let (theirs, ours) = (
        try QemuBitmaps.look(at: own.path), try QemuBitmaps.look(at: other.path)
      )
      #expect(theirs.digests == ours.digests)
      #expect(theirs.list.mapValues { $0["recording"] } == ours.list.mapValues { $0["recording"] })
      #expect(
        theirs.list.mapValues { $0["granularity"] } == ours.list.mapValues { $0["granularity"] })
    }
  }

  @Test func aliasesLeadFromNamesToOtherNames() async throws {
    let others = try makeBitmaps()
    let channel = MemoryChannel()
    let outgoing = try BlockBitmapMapping(shortForms: [
      "disk0/b0=N/x", "disk1/b0=M/x", "disk1/no=M/y",
    ])
    let sent = try send(outgoing, from: nodes, over: channel)
    #expect(sent.bitmaps?.count == 2)
    #expect(sent.remarks.count == 1)
    let incoming = try BlockBitmapMapping(shortForms: ["disk1/first=N/x", "disk0/second=M/x"])
    // The disks have the same size: the names may cross over.
    let record = try await receive(channel.outgoing, on: others, incoming)
    #expect(record.error == nil)
    #expect(
      try QemuBitmaps.digests(others[1].path)["first"] == QemuBitmaps.digests(nodes[0].path)["b0"])
    #expect(
      try QemuBitmaps.digests(others[0].path)["second"] == QemuBitmaps.digests(nodes[1].path)["b0"])
  }

  @Test func anUnknownAliasIsAnErrorThatChangesNothingOrIsPassedOverAndTold() async throws {
    let others = try makeBitmaps()
    let channel = MemoryChannel()
    _ = try send(from: nodes, over: channel)
    let mapping = try BlockBitmapMapping(shortForms: ["disk0/x=disk0/b0", "disk1/y=disk1/b0"])
    let before = try fileDigests(others)
    let refused = try await receive(channel.outgoing, on: others, mapping)
    #expect(refused.error?.kind == .notFound)
    #expect(
      refused.error?.message.hasPrefix(
        "Unknown bitmap alias 'b1' on node 'disk0' (alias 'disk0')") ?? false)
    #expect(try fileDigests(others) == before)
    try await bench.runner.apply(.dismiss, to: refused.id)
    let taken = try await receive(channel.outgoing, on: others, mapping) {
      $0.ignoresUnknown = true
    }
    let result = try SnapshotResult(parsing: taken.result)
    #expect(result.bitmaps?.map(\.name) == ["x", "y"])
    #expect(
      result.remarks == ["Not received: Unknown bitmap alias 'b1' on node 'disk0' (alias 'disk0')"])
    try expectAgreement(others)
  }

  @Test func whatCannotBeSentIsRefusedBeforeAnybodyIsConnectedTo() throws {
    _ = try makeBitmaps()
    let name = String(repeating: "n", count: 256)
    try QemuBitmaps.add(name, to: nodes[1].path)
    let channel = MemoryChannel()
    #expect {
      _ = try send(from: nodes, over: channel)
    } throws: { error in
      (error as? JobError)?.message.contains("Name is longer than 255 bytes") ?? false
    }
    #expect(channel.outgoing.isEmpty && !channel.isClosed)
    // An alias helps.
    let mapping = try BlockBitmapMapping([
      .init(name: "disk1", alias: "N", bitmaps: [.init(name: name, alias: "B")])
    ])
    #expect(try send(mapping, from: nodes, over: channel).bitmaps?.count == 1)
  }

  @Test func theTransformSaysWhetherABitmapIsPersistent() async throws {
    let others = try makeBitmaps()
    let transient = try BlockBitmapMapping([
      .init(
        name: "disk0", alias: "disk0",
        bitmaps: [.init(name: "b0", alias: "b0", transform: .init(persistent: false))])
    ])
    let channel = MemoryChannel()
    _ = try send(transient, from: nodes, over: channel)
    // There is no memory to keep it in: it is refused where it is asked for, and kept where it comes so.
    let refused = try await receive(channel.outgoing, on: others, transient)
    #expect(refused.error?.kind == .usage)
    try await bench.runner.apply(.dismiss, to: refused.id)
    let record = try await receive(channel.outgoing, on: others)
    #expect(try SnapshotResult(parsing: record.result).remarks.count == 1)
    #expect(try QemuBitmaps.list(others[0].path)["b0"]?["persistent"]?.bool == true)
  }

  @Test func theSenderWaitsForTheWordOfTheReceiver() throws {
    _ = try makeBitmaps()
    let done: [UInt8] = [0, 2, 0, 4, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0]
    func send(_ answer: [UInt8], hangs: Bool = false) throws -> MemoryChannel {
      let channel = MemoryChannel(answer, isTwoWay: true, hangs: hangs)
      _ = try self.send(from: nodes, over: channel) {
        $0.isWithinProcess = false
        $0.patienceSeconds = 1
      }
      return channel
    }
    // The stream asks for it: command 1 without data behind the configuration.
    let stream = try send(done).outgoing
    #expect(
      Array(stream[..<18]) == [0x51, 0x45, 0x56, 0x4d, 0, 0, 0, 3, 7, 0, 0, 0, 0, 8, 0, 1, 0, 0])
    let failures: [(FailureKind, [UInt8], Bool)] = [
      (.connection, [], false), (.connection, [0, 1, 0], false), (.timeout, [], true),
      (.general, [0, 1, 0, 4, 0, 0, 0, 1], false), (.refused, [0, 2, 0xff, 0xff], false),
    ]
    for (kind, answer, hangs) in failures {
      #expect {
        _ = try send(answer, hangs: hangs)
      } throws: { error in
        (error as? JobError)?.kind == kind
      }
    }
  }

  @Test func theReceiverAnswersAfterItsCommit() throws {
    let others = try makeBitmaps()
    let outgoing = MemoryChannel([0, 1, 0, 4, 0, 0, 0, 0], isTwoWay: true)
    _ = try send(from: nodes, over: outgoing) { $0.isWithinProcess = false }
    for isDone in [false, true] {
      // The sender does not close its side: the end of the stream is seen without it.
      let channel = MemoryChannel(outgoing.outgoing, isTwoWay: true, hangs: true)
      let prepared = try receiving([], on: others, over: channel).prepare(JobControl())
      #expect(channel.outgoing.isEmpty && !channel.isClosed)
      if isDone { _ = try prepared.finish() } else { try prepared.undo() }
      #expect(channel.outgoing == [0, 1, 0, 4, 0, 0, 0, isDone ? 0 : 1])
      #expect(channel.isFinished && channel.isClosed)
    }
  }

  @Test func aPeerThatHangsEndsTheJob() async throws {
    let others = try makeBitmaps()
    let before = try fileDigests(others)
    for bytes in [[], Array("QEVM".utf8)] as [[UInt8]] {
      let channel = MemoryChannel(bytes, isTwoWay: true, hangs: true)
      #expect {
        _ = try receiving([], on: others, over: channel) { $0.patienceSeconds = 1 }
          .prepare(JobControl())
      } throws: { error in
        (error as? JobError)?.kind == .timeout
      }
      #expect(channel.isClosed)
    }
    #expect(try fileDigests(others) == before)
  }

  @Test func nothingIsReceivedOnADiskThatSomebodyHolds() async throws {
    let others = try makeBitmaps()
    let channel = MemoryChannel()
    _ = try send(from: nodes, over: channel)
    let vm = try QemuVM([QemuVM.Disk("disk1", others[1].path)])
    let mapping = try BlockBitmapMapping(shortForms: ["disk1/y=disk1/b0"])
    let unused = MemoryChannel(channel.outgoing)
    #expect {
      _ = try receiving([], on: others, mapping, over: unused).prepare(JobControl())
    } throws: { error in
      (error as? JobError)?.kind == .inUse
    }
    // It is told before anybody has sent anything.
    #expect(unused.attempts == 0)
    try vm.quit()
  }
}
