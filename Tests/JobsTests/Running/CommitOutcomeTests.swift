import Testing

@testable import Jobs

@Suite("Ends of a commit")
struct CommitOutcomeTests {
  private static let reason = JobError(.catalog, "no commit record")

  @Test("Rolled back: every job is undone and ends with the committer's error")
  func rolledBack() async throws {
    let shop = Workshop(outcome: .rolledBack(Self.reason))
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.reason)
      #expect(
        shop.catalog.trail(of: name)
          == [.created, .running, .waiting, .pending, .aborting, .concluded])
    }
    #expect(shop.diary.entries.suffix(3) == ["commit a b", "undo b", "undo a"])
  }

  @Test("A commit that cannot be noted undoes every job, which ends with that error")
  func notAnnounced() async throws {
    let shop = Workshop(announcement: Self.reason)
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.reason)
      #expect(
        shop.catalog.trail(of: name)
          == [.created, .running, .waiting, .pending, .aborting, .concluded])
    }
    #expect(shop.diary.entries.suffix(2) == ["undo b", "undo a"])
  }

  @Test("A commit that is noted and waits is called off before its jobs are undone")
  func cancelledWhileWaiting() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a", autoFinalize: false), try shop.request("b")])
    _ = try await shop.runner.wait(for: id, orPending: true)
    try await shop.runner.apply(.cancel, to: id)
    for name in ["a", "b"] { _ = try await shop.runner.wait(for: JobID(name)) }
    #expect(shop.diary.entries.suffix(3) == ["call off a b", "undo b", "undo a"])
  }

  @Test("In doubt: the jobs stay pending with the reason, and waiting ends")
  func inDoubt() async throws {
    let shop = Workshop(outcome: .inDoubt(Self.reason))
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    for name in ["a", "b"] {
      let record = try await shop.runner.wait(for: JobID(name))
      #expect(record.status == .pending)
      #expect(record.error == Self.reason)
      #expect(try shop.info(name).error == Self.reason)
      #expect(shop.catalog.trail(of: name) == [.created, .running, .waiting, .pending])
    }
    #expect(shop.diary.entries.suffix(3) == ["commit a b", "abandon b", "abandon a"])
  }

  @Test("A job in doubt refuses cancel and dismiss, and without a settlement finalize says why")
  func verbsInDoubt() async throws {
    let shop = Workshop(outcome: .inDoubt(Self.reason))
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: id)
    for verb in [JobVerb.cancel, .dismiss] {
      #expect(
        await refusal { () async throws(JobError) in try await shop.runner.apply(verb, to: id) }
          == "Job 'a' in state 'pending' cannot accept command verb '\(verb.rawValue)'")
    }
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "The commit of job 'a' is not finished: no commit record; `snapjob recover` finishes it")
  }

  @Test("Finalizing a job in doubt tries recovery again, as often as it takes")
  func finalizeInDoubt() async throws {
    let isReachable = Gate()
    let shop = Workshop(
      outcome: .inDoubt(Self.reason),
      settlement: { runner, id throws(JobError) in
        if isReachable.isOpen { try runner.conclude(orphan: id, error: nil, result: "{}") }
      })
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: id)
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "The commit of job 'a' is not finished: no commit record; `snapjob recover` finishes it")
    isReachable.open()
    try await shop.runner.apply(.finalize, to: id)
    let record = try await shop.runner.wait(for: id)
    #expect(record.status == .concluded)
    #expect(record.error == nil)
    #expect(record.result == "{}")
  }

  @Test("The reason of a commit in doubt is told even if it cannot be stored")
  func inDoubtAndUnstored() async throws {
    let shop = Workshop(outcome: .inDoubt(Self.reason))
    let id = try JobID("a")
    shop.catalog.refuse { job in
      job.status == .pending && job.error != nil ? JobError(.catalog, "locked") : nil
    }
    try shop.runner.start([try shop.request("a")])
    let record = try await shop.runner.wait(for: id)
    #expect(record.status == .pending)
    #expect(record.error == Self.reason)
    #expect(shop.remarks.all == ["a: locked"])
  }
}
