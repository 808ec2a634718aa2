import Testing

@testable import Jobs

@Suite("Life of a job")
struct LifeCycleTests {
  @Test("A job that goes well passes QEMU's states in QEMU's order and keeps its result")
  func success() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("a")])
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.status == .concluded)
    #expect(record.error == nil)
    #expect(record.result == "{\"did\": \"a\"}")
    #expect(record.started != nil && record.concluded != nil)
    #expect(
      shop.catalog.trail(of: "a") == [.created, .running, .waiting, .pending, .concluded])
    #expect(shop.diary.entries == ["prepare a", "prepared a", "commit a", "finish a"])
  }

  @Test("A job whose work fails passes aborting and keeps the error's text")
  func failure() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { _ in throw ToyFailure(description: "no more clay") }
    ])
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.error == JobError(.general, "no more clay"))
    #expect(record.result == nil)
    #expect(shop.catalog.trail(of: "a") == [.created, .running, .aborting, .concluded])
    #expect(shop.diary.entries == ["prepare a"])
  }

  @Test("A failure keeps its kind")
  func failureKind() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { _ in throw JobError(.noSpace, "disk full") }
    ])
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.error == JobError(.noSpace, "disk full"))
  }

  @Test("A finish that fails after the commit is a remark, not a failure of the job")
  func finishFails() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a", finishFailure: ToyFailure(description: "lock is stuck"))
    ])
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.status == .concluded)
    #expect(record.error == nil)
    #expect(record.result == nil)
    #expect(shop.remarks.all == ["a: lock is stuck"])
  }

  @Test("A manual transaction stays pending until it is finalized")
  func manualFinalize() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a", autoFinalize: false)])
    let pending = try await shop.runner.wait(for: id, orPending: true)
    #expect(pending.status == .pending)
    #expect(!shop.diary.entries.contains("commit a"))
    try await shop.runner.apply(.finalize, to: id)
    #expect(try await shop.runner.wait(for: id).status == .concluded)
    #expect(
      shop.catalog.trail(of: "a") == [.created, .running, .waiting, .pending, .concluded])
  }

  @Test("An automatic transaction does not end a waiting for pending")
  func pendingInPassing() async throws {
    let gate = Gate()
    let shop = Workshop(commitGate: gate)
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    async let record = shop.runner.wait(for: id, orPending: true)
    try await eventually("commit") { shop.diary.entries.contains("commit a") }
    try await Task.sleep(for: .milliseconds(60))
    gate.open()
    #expect(try await record.status == .concluded)
  }

  @Test("A concluded job stays until it is dismissed; then its name is free")
  func dismiss() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: id)
    #expect(throws: JobError(.conflict, "Job ID 'a' already in use")) {
      try shop.runner.start([try shop.request("a")])
    }
    try await shop.runner.apply(.dismiss, to: id)
    #expect(shop.catalog.trail(of: "a").last == .null)
    #expect(try shop.runner.jobs().isEmpty)
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.dismiss, to: id) }
        == "Job not found")
    try shop.runner.start([try shop.request("a")])
    #expect(try await shop.runner.wait(for: id).status == .concluded)
  }

  @Test("A job that dismisses itself is null right after its conclusion, and can still be awaited")
  func autoDismiss() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("a", autoDismiss: true)])
    try await eventually("null") { shop.catalog.trail(of: "a").last == .null }
    #expect(
      shop.catalog.trail(of: "a") == [.created, .running, .waiting, .pending, .concluded, .null])
    #expect(try shop.runner.jobs().isEmpty)
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.status == .concluded)
    #expect(record.result == "{\"did\": \"a\"}")
  }

  @Test("A job that dismisses itself is never seen concluded: both are stored as one")
  func autoDismissIsPartOfTheConclusion() async throws {
    let shop = Workshop()
    shop.catalog.refuse { $0.status == .null ? JobError(.noSpace, "full") : nil }
    try shop.runner.start([try shop.request("a", autoDismiss: true)])
    try await shop.reaches(.pending, "a")
    #expect(!shop.catalog.trail(of: "a").contains(.concluded))
    shop.catalog.refuse { _ in nil }
    try await eventually("null") { shop.catalog.trail(of: "a").last == .null }
    #expect(
      shop.catalog.trail(of: "a") == [.created, .running, .waiting, .pending, .concluded, .null])
  }

  @Test("Waiting for a failing job that dismisses itself tells its error")
  func autoDismissedFailure() async throws {
    for _ in 0..<20 {
      let shop = Workshop()
      try shop.runner.start([
        try shop.request("a", autoDismiss: true) { _ in throw ToyFailure(description: "no") }
      ])
      let record = try await shop.runner.wait(for: JobID("a"))
      #expect(record.status == .concluded)
      #expect(record.error?.message == "no")
    }
  }

  @Test("One name that is taken keeps the whole transaction from being created")
  func creationIsAllOrNone() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: JobID("a"))
    let before = shop.catalog.trail
    #expect(throws: JobError(.conflict, "Job ID 'a' already in use")) {
      try shop.runner.start([try shop.request("b"), try shop.request("a")])
    }
    #expect(throws: JobError(.conflict, "Job ID 'c' already in use")) {
      try shop.runner.start([try shop.request("c"), try shop.request("c")])
    }
    #expect(shop.catalog.trail == before)
    #expect(try shop.runner.jobs().map(\.id.description) == ["a"])
  }

  @Test("Jobs are listed newest first")
  func order() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("a"), try shop.request("b")])
    try shop.runner.start([try shop.request("c")])
    #expect(try shop.runner.jobs().map(\.id.description) == ["c", "b", "a"])
    for name in ["a", "b", "c"] { _ = try await shop.runner.wait(for: JobID(name)) }
  }

  @Test("No job can be awaited or asked that never was")
  func unknownJob() async throws {
    let shop = Workshop()
    let id = try JobID("nobody")
    for verb in JobVerb.allCases {
      #expect(
        await refusal { () async throws(JobError) in try await shop.runner.apply(verb, to: id) }
          == "Job not found")
    }
    #expect(throws: JobError.jobNotFound) { try shop.runner.setSpeed(1, of: id) }
    await #expect(throws: JobError.jobNotFound) { try await shop.runner.wait(for: id) }
  }

  @Test("A waiting that is cancelled ends")
  func waitingIsCancelled() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try gate.pass(control) }])
    let task = Task { try await shop.runner.wait(for: id) }
    try await shop.reaches(.running, "a")
    task.cancel()
    await #expect(throws: JobError.self) { try await task.value }
    gate.open()
    _ = try await shop.runner.wait(for: id)
  }

  @Test("A ready job waits to be told to complete")
  func complete() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([
      try shop.request("a") { control in try control.awaitCompletion() }
    ])
    try await shop.reaches(.ready, "a")
    try await shop.runner.apply(.pause, to: id)
    try await shop.reaches(.standby, "a")
    try await shop.runner.apply(.complete, to: id)
    try await shop.runner.apply(.resume, to: id)
    #expect(try await shop.runner.wait(for: id).error == nil)
    #expect(
      shop.catalog.trail(of: "a")
        == [.created, .running, .ready, .standby, .ready, .waiting, .pending, .concluded])
  }

  @Test("A job that is not ready cannot be completed")
  func completeTooEarly() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try gate.pass(control) }])
    try await shop.reaches(.running, "a")
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.complete, to: id) }
        == "Job 'a' in state 'running' cannot accept command verb 'complete'")
    gate.open()
    _ = try await shop.runner.wait(for: id)
  }

  @Test("A store that fails while a job runs fails the job, and its end is stored once it can be")
  func storeFailsForAWhile() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    let broken = Gate()
    let repaired = Gate()
    shop.catalog.refuse { job in
      broken.isOpen && !repaired.isOpen ? JobError(.catalog, "disk I/O error") : nil
    }
    try shop.runner.start([try shop.request("a") { _ in broken.open() }])
    await #expect(throws: JobError(.catalog, "disk I/O error")) {
      try await shop.runner.wait(for: id)
    }
    #expect(shop.diary.entries.contains("undo a"))
    #expect(!shop.diary.entries.contains("commit a"))
    repaired.open()
    let record = try await { () async throws -> JobRecord in
      try await shop.reaches(.concluded, "a")
      return try await shop.runner.wait(for: id)
    }()
    #expect(record.error == JobError(.catalog, "disk I/O error"))
    #expect(shop.catalog.trail(of: "a") == [.created, .running, .aborting, .concluded])
  }
}
