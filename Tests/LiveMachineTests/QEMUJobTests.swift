import QMP
import Testing

@testable import LiveMachine

@Suite struct QEMUJobTests {
  private static func jobs(_ status: String, error: String? = nil) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("id", "snapjob-1"), .init("status", .string(status)),
    ]
    if let error { members.append(.init("error", .string(error))) }
    return [["id": "other", "status": "running"], .object(members)]
  }

  @Test func `a job whose events were lost is waited for and then dismissed`() async throws {
    let monitor = ToyMonitor([
      "snapshot-save": [[:]], "job-dismiss": [[:]],
      "query-jobs": [Self.jobs("running"), Self.jobs("pending"), Self.jobs("concluded")],
    ])
    let outcome = try await QEMUJob("snapjob-1", on: monitor).run("snapshot-save", [])
    #expect(outcome.error == nil)
    #expect(
      monitor.commands == [
        "snapshot-save", "query-jobs", "query-jobs", "query-jobs", "job-dismiss",
      ])
  }

  @Test func `the error of a job that failed is told, and the job is dismissed`() async throws {
    let monitor = ToyMonitor([
      "job-dismiss": [[:]], "query-jobs": [Self.jobs("concluded", error: "no room")],
    ])
    let outcome = try await QEMUJob("snapjob-1", on: monitor).awaitEnd()
    #expect(outcome?.error == "no room")
    #expect(monitor.commands == ["query-jobs", "job-dismiss"])
  }

  @Test func `a job that QEMU does not know has no outcome`() async throws {
    let monitor = ToyMonitor(["query-jobs": [[]]])
    #expect(try await QEMUJob("snapjob-1", on: monitor).awaitEnd() == nil)
  }

  @Test func `events of jobs under our names are told from others`() {
    func event(_ name: String, _ id: String) -> QMPEvent {
      QMPEvent(name: name, data: ["id": .string(id)], microseconds: 0)
    }
    #expect(QEMUJob.concerns(event("JOB_STATUS_CHANGE", "snapjob-1")))
    #expect(!QEMUJob.concerns(event("JOB_STATUS_CHANGE", "backup0")))
    #expect(!QEMUJob.concerns(event("BLOCK_JOB_COMPLETED", "snapjob-1")))
  }
}
