import Monitor
import QMP
import SnapshotJobs
import Synchronization
import Testing

@Suite struct RunStateCommandsTests {
  @Test func aStoredMachineIsStoppedAlready() async throws {
    #expect(try await House().execute("stop") == [:])
  }

  @Test func aStoredMachineCannotGoOn() async {
    let error = await House().refusal("cont")
    #expect(error?.kind == "conflict")
    #expect(error?.errorClass == .genericError)
    #expect(error?.desc.hasPrefix("Machine 'default' is not running, and snapjob cannot") == true)
  }

  @Test func quittingTellsEveryFollowerWhereNobodyServes() async throws {
    let monitor = House().monitor
    let followers = [monitor.events(), monitor.events()]
    #expect(try await monitor.execute("quit", nil) == [:])
    for follower in followers {
      let event = await follower.first { _ in true }
      #expect(event?.name == "SHUTDOWN")
      #expect(event?.data == ["guest": false, "reason": "host-qmp-quit"])
    }
  }

  @Test func quittingIsUpToTheServer() async throws {
    let house = House()
    let isAllowed = Mutex(true)
    let monitor = Monitor(target: .stored("default"), services: house.services) {
      () throws(QMPError) in
      guard isAllowed.withLock({ $0 }) else { throw QMPError(.genericError, "no") }
    }
    #expect(try await monitor.execute("quit", nil) == [:])
    isAllowed.withLock { $0 = false }
    await #expect(throws: QMPError(.genericError, "no", kind: "usage")) {
      _ = try await monitor.execute("quit", nil)
    }
  }

  @Test func tellsNameAndUUID() async throws {
    #expect(try await House().execute("query-name") == ["name": "default"])
    #expect(try await House(.oneOff(Machine(name: nil, nodes: []))).execute("query-name") == [:])
    #expect(
      try await House().execute("query-uuid").text("UUID")
        == "00000000-0000-0000-0000-000000000000")
  }

  @Test func hasNothingToYank() async throws {
    let house = House()
    #expect(try await house.execute("query-yank") == [])
    #expect(try await house.execute("yank", #"{"instances": []}"#) == [:])
    #expect(
      await house.refusal("yank", #"{"instances": [{"type": "migration"}]}"#)
        == QMPError(.deviceNotFound, "Instance not found", kind: "notFound"))
    #expect(
      await house.refusal("yank", #"{"instances": [{"type": "x"}]}"#)
        == QMPError(.genericError, "Parameter 'type' does not accept value 'x'", kind: "usage"))
  }
}
