import Testing

@testable import Jobs

@Suite("Jobs whose process has ended")
struct OrphanTests {
  private static let reason = JobError(.general, "power failed")

  @Test(
    "A job that is not pending passes aborting by legal steps",
    arguments: [
      (JobStatus.created, [JobStatus.aborting, .concluded]),
      (.running, [.aborting, .concluded]),
      (.paused, [.running, .aborting, .concluded]),
      (.ready, [.aborting, .concluded]),
      (.standby, [.ready, .aborting, .concluded]),
      (.waiting, [.aborting, .concluded]),
      (.pending, [.aborting, .concluded]),
      (.aborting, [.concluded]),
    ])
  func failed(_ status: JobStatus, _ trail: [JobStatus]) async throws {
    let shop = Workshop()
    shop.catalog.leave(try toyRecord("a", status: status), worker: 7)
    shop.catalog.kill(worker: 7)
    try shop.runner.conclude(orphan: JobID("a"), error: Self.reason, result: nil)
    #expect(shop.catalog.trail(of: "a") == trail)
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.error == Self.reason)
    #expect(record.concluded != nil)
  }

  @Test("A pending job that recovery found done concludes as it stands, without its old error")
  func done() throws {
    let shop = Workshop()
    var record = try toyRecord("a", status: .pending)
    record.error = JobError(.general, "undecided")
    shop.catalog.leave(record, worker: 7)
    try shop.runner.conclude(orphan: record.id, error: nil, result: "{}")
    #expect(shop.catalog.trail(of: "a") == [.concluded])
    #expect(try shop.info("a").error == nil)
    #expect(try shop.store.job(record.id)?.result == "{}")
  }

  @Test("A job that aborts always says why")
  func failedWithoutReason() throws {
    let shop = Workshop()
    shop.catalog.leave(try toyRecord("a", status: .running), worker: 7)
    try shop.runner.conclude(orphan: JobID("a"), error: nil, result: nil)
    #expect(
      try shop.info("a").error?.message
        == "Job 'a' belongs to process 4711, which has ended; `snapjob recover` settles it")
  }

  @Test("A concluded job stays as it is, an unknown one is told")
  func nothingToDo() throws {
    let shop = Workshop()
    let record = try toyRecord("a", status: .concluded)
    shop.catalog.leave(record, worker: 7)
    try shop.runner.conclude(orphan: record.id, error: Self.reason, result: nil)
    #expect(shop.catalog.trail.isEmpty)
    #expect(try shop.info("a").error == nil)
    #expect(throws: JobError.jobNotFound) {
      try shop.runner.conclude(orphan: JobID("b"), error: nil, result: nil)
    }
  }

  @Test("A job that dismisses itself is forgotten")
  func autoDismiss() throws {
    let shop = Workshop()
    shop.catalog.leave(try toyRecord("a", autoDismiss: true, status: .running), worker: 7)
    try shop.runner.conclude(orphan: JobID("a"), error: Self.reason, result: nil)
    #expect(shop.catalog.trail(of: "a") == [.aborting, .concluded, .null])
    #expect(try shop.runner.jobs().isEmpty)
  }

  @Test("A job that runs here is no orphan")
  func live() async throws {
    let shop = Workshop()
    let gate = Gate()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try gate.pass(control) }])
    #expect(throws: JobError(.inUse, "Job 'a' is being run by this process")) {
      try shop.runner.conclude(orphan: id, error: nil, result: nil)
    }
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test("Verbs for an orphan say that recovery settles it, where the table would accept them")
  func verbs() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    shop.catalog.leave(try toyRecord("a", status: .paused), worker: 7)
    shop.catalog.kill(worker: 7)
    let orphaned = "Job 'a' belongs to process 4711, which has ended; `snapjob recover` settles it"
    for verb in [JobVerb.cancel, .pause, .resume, .setSpeed] {
      #expect(
        await refusal { () async throws(JobError) in try await shop.runner.apply(verb, to: id) }
          == orphaned)
    }
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "Job 'a' in state 'paused' cannot accept command verb 'finalize'")
    await #expect(throws: JobError(.conflict, orphaned)) { try await shop.runner.wait(for: id) }
  }

  @Test("What keeps a pending orphan from its end is told to those who wait for it")
  func noted() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    shop.catalog.leave(try toyRecord("a", status: .pending), worker: 7)
    shop.catalog.kill(worker: 7)
    try shop.runner.note(Self.reason, atOrphan: id)
    #expect(try await shop.runner.wait(for: id).error == Self.reason)
    #expect(try await shop.runner.wait(for: id).status == .pending)
    #expect(shop.catalog.trail.isEmpty)
    try shop.runner.conclude(orphan: id, error: nil, result: "{}")
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test(
    "Nothing is noted at jobs that are not pending", arguments: [JobStatus.running, .concluded])
  func notNoted(status: JobStatus) throws {
    let shop = Workshop()
    shop.catalog.leave(try toyRecord("a", status: status), worker: 7)
    try shop.runner.note(Self.reason, atOrphan: JobID("a"))
    #expect(try shop.info("a").error == nil)
  }

  @Test("Finalizing a pending orphan tries recovery")
  func finalize() async throws {
    let shop = Workshop(settlement: { runner, id throws(JobError) in
      try runner.conclude(orphan: id, error: Self.reason, result: nil)
    })
    let id = try JobID("a")
    shop.catalog.leave(try toyRecord("a", status: .pending), worker: 7)
    shop.catalog.kill(worker: 7)
    try await shop.runner.apply(.finalize, to: id)
    #expect(try await shop.runner.wait(for: id).error == Self.reason)
    #expect(shop.catalog.trail(of: "a") == [.aborting, .concluded])
  }

  @Test("A settlement that fails is the answer to the finalize")
  func settlementFails() async throws {
    let shop = Workshop(settlement: { _, _ throws(JobError) in
      throw JobError(.inUse, "disk1 is locked")
    })
    shop.catalog.leave(try toyRecord("a", status: .pending), worker: 7)
    shop.catalog.kill(worker: 7)
    let id = try JobID("a")
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "disk1 is locked")
  }

  @Test("A concluded orphan is dismissed without its process")
  func dismiss() async throws {
    let shop = Workshop()
    shop.catalog.leave(try toyRecord("a", status: .concluded), worker: 7)
    shop.catalog.kill(worker: 7)
    try await shop.runner.apply(.dismiss, to: JobID("a"))
    #expect(shop.catalog.trail(of: "a") == [.null])
  }
}
