import Jobs
import Monitor
import QMP
import SnapshotJobs
import Testing

@Suite struct EventsTests {
  /// The events up to the one that ends `count` jobs, as `id status`.
  private func collect(_ stream: AsyncStream<QMPEvent>, until last: String) async -> [String] {
    var lines: [String] = []
    for await event in stream {
      #expect(event.name == "JOB_STATUS_CHANGE")
      #expect(event.data?.names == ["id", "status"])
      #expect(event.microseconds > 0)
      lines.append("\(event.data?.text("id") ?? "") \(event.data?.text("status") ?? "")")
      if lines.last == last { break }
    }
    return lines
  }

  private let life = ["created", "running", "waiting", "pending", "concluded", "null"]

  @Test func tellsEveryStatusOfAJobOfTheMachine() async throws {
    let house = House()
    let events = house.monitor.events()
    try await house.save("j", more: #", "x-auto-dismiss": true"#)
    #expect(await collect(events, until: "j null") == life.map { "j \($0)" })
  }

  @Test func tellsOfJobsThatOthersStartOnTheMachineAndOfNoOtherMachine() async throws {
    let house = House()
    try house.machines.addMachine(named: "web01")
    let other = Monitor(target: .stored("web01"), services: house.services)
    let events = house.monitor.events()
    let second = Monitor(target: .stored("default"), services: house.services)
    for (monitor, id) in [(other, "theirs"), (second, "ours")] {
      _ = try await monitor.execute(
        "snapshot-save",
        [
          "job-id": .string(id), "tag": "t", "vmstate": "d", "devices": [],
          "x-auto-dismiss": true,
        ])
      _ = try await house.runner.wait(for: JobID(id))
    }
    #expect(await collect(events, until: "ours null") == life.map { "ours \($0)" })
  }

  @Test func aFollowerOfAllMachinesHearsOfAllJobs() async throws {
    let house = House(followsAllMachines: true)
    try house.machines.addMachine(named: "web01")
    let other = Monitor(target: .stored("web01"), services: house.services)
    let events = house.monitor.events()
    _ = try await other.execute(
      "snapshot-save", ["job-id": "theirs", "tag": "t", "vmstate": "d", "devices": []])
    #expect(await collect(events, until: "theirs concluded").count == 5)
  }

  @Test func aOneOffMachineHearsOfItsOwnJobsFromTheFirstStatusOn() async throws {
    let machine = Machine(name: nil, nodes: [])
    let house = House(.oneOff(machine))
    let other = Monitor(target: .oneOff(machine), services: house.services)
    let events = house.monitor.events()
    _ = try await other.execute(
      "snapshot-save", ["job-id": "theirs", "tag": "t", "vmstate": "d", "devices": []])
    _ = try await house.runner.wait(for: JobID("theirs"))
    try await house.save("mine")
    #expect(
      await collect(events, until: "mine concluded") == life.dropLast().map { "mine \($0)" })
  }

  @Test func commandsRunWhileAnotherOneWaits() async throws {
    let gate = Gate()
    let house = House(busyPatience: .seconds(60))
    house.images.work { try gate.pass($0) }
    try await house.execute(
      "snapshot-save", #"{"job-id": "first", "tag": "t", "vmstate": "d", "devices": []}"#)
    async let second = house.save("second")
    #expect(try await house.execute("query-jobs").elements.count == 1)
    gate.open()
    #expect(try await second.status == .concluded)
  }
}
