import Testing

@testable import Jobs

@Suite("Cancelling")
struct CancelTests {
  private static let canceled = JobError(.cancelled, "Operation canceled")

  @Test("A created job is forgotten without its work having been entered")
  func created() async throws {
    let shop = Workshop(holdsThreads: true)
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    try await shop.runner.apply(.cancel, to: id)
    let record = try await shop.runner.wait(for: id)
    #expect(record.error == Self.canceled)
    // The job is forgotten after it has concluded, which is what was waited for.
    while shop.catalog.trail(of: "a").last != .null { try await Task.sleep(for: .milliseconds(5)) }
    #expect(shop.catalog.trail(of: "a") == [.created, .aborting, .concluded, .null])
    shop.threads.release()
    #expect(shop.diary.entries.isEmpty)
  }

  @Test("A running job aborts at its next checkpoint")
  func running() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try Gate().pass(control) }])
    try await shop.reaches(.running, "a")
    try await shop.runner.apply(.cancel, to: id)
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
    #expect(shop.catalog.trail(of: "a") == [.created, .running, .aborting, .concluded])
    #expect(shop.diary.entries == ["prepare a"])
  }

  @Test("A paused job goes on before it aborts")
  func paused() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try Gate().pass(control) }])
    try await shop.runner.apply(.pause, to: id)
    try await shop.reaches(.paused, "a")
    try await shop.runner.apply(.cancel, to: id)
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
    #expect(
      shop.catalog.trail(of: "a")
        == [.created, .running, .paused, .running, .aborting, .concluded])
  }

  @Test("A ready job aborts", arguments: [false, true])
  func ready(_ isOnStandby: Bool) async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try control.awaitCompletion() }])
    try await shop.reaches(.ready, "a")
    if isOnStandby {
      try await shop.runner.apply(.pause, to: id)
      try await shop.reaches(.standby, "a")
    }
    try await shop.runner.apply(.cancel, to: id)
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
    #expect(
      shop.catalog.trail(of: "a")
        == [.created, .running, .ready] + (isOnStandby ? [.standby, .ready] : [])
        + [.aborting, .concluded])
  }

  @Test("A job that is cancelled while its work does not look is undone all the same")
  func blindWork() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { _ in gate.passBlindly() }])
    try await shop.reaches(.running, "a")
    try await shop.runner.apply(.cancel, to: id)
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
    #expect(shop.diary.entries == ["prepare a", "prepared a", "undo a"])
    #expect(shop.catalog.trail(of: "a") == [.created, .running, .aborting, .concluded])
  }

  @Test("A pending job is undone")
  func pending() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a", autoFinalize: false)])
    _ = try await shop.runner.wait(for: id, orPending: true)
    try await shop.runner.apply(.cancel, to: id)
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
    #expect(
      shop.catalog.trail(of: "a")
        == [.created, .running, .waiting, .pending, .aborting, .concluded])
    #expect(shop.diary.entries == ["prepare a", "prepared a", "call off a", "undo a"])
  }

  @Test("An undo that stays incomplete is part of the error")
  func undoFails() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([
      try shop.request(
        "a", autoFinalize: false, undoFailure: ToyFailure(description: "disk0 is gone"))
    ])
    _ = try await shop.runner.wait(for: id, orPending: true)
    try await shop.runner.apply(.cancel, to: id)
    #expect(
      try await shop.runner.wait(for: id).error
        == JobError(.cancelled, "Operation canceled; undoing it is incomplete: disk0 is gone"))
  }

  @Test("Once the commit has begun, a cancel is refused and the job concludes well")
  func committing() async throws {
    let gate = Gate()
    let shop = Workshop(commitGate: gate)
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    try await eventually("commit") { shop.diary.entries.contains("commit a") }
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.cancel, to: id) }
        == "Job 'a' in state 'pending' cannot accept command verb 'cancel'")
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.finalize, to: id) }
        == "Job 'a' in state 'pending' cannot accept command verb 'finalize'")
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test("A concluded job refuses everything but dismiss")
  func concluded() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: id)
    for verb in JobVerb.allCases where verb != .dismiss {
      let text = await refusal { () async throws(JobError) in
        try await shop.runner.apply(verb, to: id)
      }
      #expect(
        text
          == (verb == .resume
            ? "Can't resume a job that was not paused"
            : "Job 'a' in state 'concluded' cannot accept command verb '\(verb.rawValue)'"))
    }
    try await shop.runner.apply(.dismiss, to: id)
  }

  @Test("A job that is cancelled cannot be cancelled into another error, nor completed")
  func twice() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([
      try shop.request("a") { control in
        try control.becomeReady()
        gate.passBlindly()
        try control.checkpoint()
      }
    ])
    try await shop.reaches(.ready, "a")
    try await shop.runner.apply(.cancel, to: id)
    try await shop.runner.apply(.cancel, to: id)
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.complete, to: id) }
        == "The active block job 'a' cannot be completed")
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == Self.canceled)
  }

  @Test("A job that is cancelled with a reason ends with it, pending or running")
  func reason() async throws {
    let shop = Workshop()
    let (pending, running) = (try JobID("p"), try JobID("r"))
    try shop.runner.start([try shop.request("p", autoFinalize: false)])
    try await shop.reaches(.pending, "p")
    try shop.runner.start([try shop.request("r") { control in try Gate().pass(control) }])
    try await shop.reaches(.running, "r")
    for id in [pending, running] {
      try await shop.runner.apply(.cancel, to: id, because: "nobody wants it")
      #expect(try await shop.runner.wait(for: id).error == JobError(.cancelled, "nobody wants it"))
    }
  }
}
