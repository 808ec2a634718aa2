import Testing

@testable import Jobs

@Suite("Ends of a commit")
struct CommitOutcomeTests {
  private static let reason = JobError(.catalog, "no commit record")

  @Test("Not committed: every job is undone and ends with the committer's error")
  func notCommitted() async throws {
    let shop = Workshop(outcome: .notCommitted(Self.reason))
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.reason)
      #expect(
        shop.catalog.trail(of: name)
          == [.created, .running, .waiting, .pending, .aborting, .concluded])
    }
    #expect(shop.diary.entries.suffix(3) == ["commit a b", "undo b", "undo a"])
  }

  @Test("Taken back: every job is abandoned and ends with the committer's error")
  func takenBack() async throws {
    let shop = Workshop(outcome: .takenBack(Self.reason))
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.reason)
      #expect(shop.catalog.trail(of: name).suffix(2) == [.aborting, .concluded])
    }
    #expect(shop.diary.entries.suffix(3) == ["commit a b", "abandon b", "abandon a"])
  }

  @Test("Unresolved: the jobs stay pending with the reason, and waiting ends")
  func unresolved() async throws {
    let shop = Workshop(outcome: .unresolved(Self.reason))
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

  @Test("An undecided job refuses cancel and dismiss, and without a settlement finalize says why")
  func verbsOnUnresolved() async throws {
    let shop = Workshop(outcome: .unresolved(Self.reason))
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
        == "The commit of job 'a' is not decided: no commit record; `snapjob recover` settles it")
  }

  @Test("Finalizing an undecided job tries recovery again, as often as it takes")
  func finalizeUnresolved() async throws {
    let isReachable = Gate()
    let shop = Workshop(
      outcome: .unresolved(Self.reason),
      settlement: { runner, id throws(JobError) in
        if isReachable.isOpen { try runner.conclude(orphan: id, error: nil, result: "{}") }
      })
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: id)
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "The commit of job 'a' is not decided: no commit record; `snapjob recover` settles it")
    isReachable.open()
    try await shop.runner.apply(.finalize, to: id)
    let record = try await shop.runner.wait(for: id)
    #expect(record.status == .concluded)
    #expect(record.error == nil)
    #expect(record.result == "{}")
  }

  @Test("The reason of an undecided commit is told even if it cannot be stored")
  func unresolvedAndUnstored() async throws {
    let shop = Workshop(outcome: .unresolved(Self.reason))
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
