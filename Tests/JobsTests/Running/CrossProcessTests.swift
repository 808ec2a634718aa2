import Testing

@testable import Jobs

@Suite("Two processes on one store")
struct CrossProcessTests {
  private let catalog = ToyCatalog()

  @Test("A job is paused, resumed and cancelled by another process")
  func verbs() async throws {
    let here = Workshop(catalog: catalog, worker: 1)
    let there = Workshop(catalog: catalog, worker: 2)
    let id = try JobID("a")
    try here.runner.start([try here.request("a") { control in try Gate().pass(control) }])
    try await there.runner.apply(.pause, to: id)
    try await there.reaches(.paused, "a")
    #expect(
      await refusal { () async throws(JobError) in try await there.runner.apply(.pause, to: id) }
        == "Job is already paused")
    try await there.runner.apply(.resume, to: id)
    #expect(
      await refusal { () async throws(JobError) in try await there.runner.apply(.resume, to: id) }
        == "Can't resume a job that was not paused")
    #expect(
      await refusal { () async throws(JobError) in try await there.runner.apply(.dismiss, to: id) }
        == "Job 'a' in state 'running' cannot accept command verb 'dismiss'")
    #expect(throws: JobError.speedMissing(id)) { try there.runner.setSpeed(5, of: id) }
    try await there.runner.apply(.cancel, to: id)
    #expect(try await there.runner.wait(for: id).error == .operationCanceled)
    try await there.runner.apply(.dismiss, to: id)
    #expect(
      catalog.trail(of: "a")
        == [.created, .running, .paused, .running, .aborting, .concluded, .null])
  }

  @Test("A pending job is finalized by another process")
  func finalize() async throws {
    let here = Workshop(catalog: catalog, worker: 1)
    let there = Workshop(catalog: catalog, worker: 2)
    let id = try JobID("a")
    try here.runner.start([try here.request("a", autoFinalize: false)])
    #expect(try await there.runner.wait(for: id, orPending: true).status == .pending)
    try await there.runner.apply(.finalize, to: id)
    #expect(try await there.runner.wait(for: id).result == "{\"did\": \"a\"}")
  }

  @Test("An undecided job is settled by its own process when another one finalizes it")
  func settleElsewhere() async throws {
    let here = Workshop(
      catalog: catalog, worker: 1, outcome: .inDoubt(JobError(.general, "disk1 is locked")),
      settlement: { runner, id throws(JobError) in
        try runner.conclude(orphan: id, error: nil, result: nil)
      })
    let there = Workshop(catalog: catalog, worker: 2)
    let id = try JobID("a")
    try here.runner.start([try here.request("a")])
    #expect(try await there.runner.wait(for: id).status == .pending)
    #expect(
      await refusal { () async throws(JobError) in try await there.runner.apply(.cancel, to: id) }
        == "Job 'a' in state 'pending' cannot accept command verb 'cancel'")
    try await there.runner.apply(.finalize, to: id)
    #expect(try await there.runner.wait(for: id).error == nil)
  }

  @Test("A process that ends before it answers is told")
  func workerDies() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let id = try JobID("a")
    catalog.leave(try toyRecord("a", status: .running), worker: 7)
    async let answer = refusal { () async throws(JobError) in
      try await there.runner.apply(.cancel, to: id)
    }
    async let end = refusal { () async throws(JobError) in
      _ = try await there.runner.wait(for: id)
    }
    try await eventually("request") { catalog.hasRequests }
    catalog.kill(worker: 7)
    let orphaned = "Job 'a' belongs to process 4711, which has ended; `snapjob recover` settles it"
    #expect(await answer == orphaned)
    #expect(await end == orphaned)
  }

  @Test("A job that ends before its process answers is refused as what it is by then")
  func jobEnds() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let other = catalog.store(ofWorker: 7)
    var record = catalog.leave(try toyRecord("a", status: .aborting), worker: 7)
    let id = record.id
    async let answer = refusal { () async throws(JobError) in
      try await there.runner.apply(.cancel, to: id, within: .seconds(60))
    }
    try await eventually("request") { catalog.hasRequests }
    record.status = .concluded
    try other.record([record], at: .now())
    #expect(await answer == "Job 'a' in state 'concluded' cannot accept command verb 'cancel'")
  }

  @Test("A request that nobody takes up is withdrawn when its time is over")
  func silentProcess() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let record = catalog.leave(try toyRecord("a", status: .running), worker: 7)
    let answer = await refusal { () async throws(JobError) in
      try await there.runner.apply(.cancel, to: record.id, within: .milliseconds(50))
    }
    #expect(
      answer?.hasPrefix(
        "process 4711, to which job 'a' belongs, has not answered; the request to cancel it is withdrawn"
      )
        == true)
    #expect(try catalog.store(ofWorker: 7).openRequests().isEmpty)
  }

  @Test("A request is withdrawn when whoever made it gives up")
  func givenUp() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let record = catalog.leave(try toyRecord("a", status: .running), worker: 7)
    let asking = Task { try await there.runner.apply(.cancel, to: record.id) }
    try await eventually("request") { catalog.hasRequests }
    asking.cancel()
    await #expect(throws: JobError.self) { try await asking.value }
    #expect(try catalog.store(ofWorker: 7).openRequests().isEmpty)
  }

  @Test("A request that was taken up is not said to have no effect")
  func takenUp() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let other = catalog.store(ofWorker: 7)
    let record = catalog.leave(try toyRecord("a", status: .pending), worker: 7)
    async let answer = refusal { () async throws(JobError) in
      try await there.runner.apply(.finalize, to: record.id, within: .milliseconds(200))
    }
    try await eventually("request") { catalog.hasRequests }
    let request = try #require(try other.openRequests().first)
    #expect(try other.takeUp(request.number))
    #expect(try !there.store.withdraw(request.number))
    #expect(
      await answer
        == "process 4711 has begun to finalize job 'a' and is not done. See: `snapjob job show a`")
    // It may still be answered.
    #expect(try other.openRequests().count == 1)
  }

  @Test("A failed job that another process ran and dismissed is not taken for one that went well")
  func dismissedElsewhere() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let other = catalog.store(ofWorker: 7)
    var record = catalog.leave(try toyRecord("a", status: .running), worker: 7)
    let id = record.id
    let waiting = Task { try await there.runner.wait(for: id) }
    try await eventually("somebody waits") { there.runner.isWatched }
    try await Task.sleep(for: .milliseconds(20))
    for status in [JobStatus.aborting, .concluded, .null] {
      record.status = status
      try other.record([record], at: .now())
    }
    let end = try await waiting.value
    #expect(end.status == .concluded)
    #expect(end.error != nil)
  }

  @Test("A verb for a job that is gone never meets the one that has its name now")
  func reusedName() async throws {
    let here = Workshop(catalog: catalog, worker: 1)
    let other = catalog.store(ofWorker: 2)
    let id = try JobID("a")
    try here.runner.start([try here.request("a", autoFinalize: false)])
    let first = try await here.runner.wait(for: id, orPending: true)
    try await here.runner.apply(.finalize, to: id)
    _ = try await here.runner.wait(for: id)
    try await here.runner.apply(.dismiss, to: id)
    try here.runner.start([try here.request("a", autoFinalize: false)])
    let second = try await here.runner.wait(for: id, orPending: true)
    #expect(second.number != first.number)
    #expect(throws: JobError.jobNotFound) {
      try here.runner.route(.cancel, to: id, numbered: first.number)
    }
    #expect(throws: JobError.jobNotFound) { _ = try other.request(.cancel, of: first.number) }
    #expect(throws: JobError.jobNotFound) {
      try here.runner.conclude(orphan: id, numbered: first.number, error: nil, result: nil)
    }
    #expect(try here.runner.jobs().map(\.status) == [.pending])
    try await here.runner.apply(.finalize, to: id)
    #expect(try await here.runner.wait(for: id).error == nil)
  }

  @Test("Waiting for a job ends with it, though another one has got its name")
  func waitingForOneOfTwo() async throws {
    let there = Workshop(catalog: catalog, worker: 2)
    let other = catalog.store(ofWorker: 7)
    var record = catalog.leave(try toyRecord("a", status: .running), worker: 7)
    let id = record.id
    let waiting = Task { try await there.runner.wait(for: id) }
    try await eventually("somebody waits") { there.runner.isWatched }
    try await Task.sleep(for: .milliseconds(20))
    for status in [JobStatus.aborting, .concluded, .null] {
      record.status = status
      try other.record([record], at: .now())
    }
    catalog.leave(try toyRecord("a", status: .running), worker: 7)
    let end = try await waiting.value
    #expect(end.number == record.number)
    #expect(end.error != nil)
  }

  @Test("A process lets go of an undecided job that another process has settled")
  func settledByAnother() async throws {
    let here = Workshop(
      catalog: catalog, worker: 1, outcome: .inDoubt(JobError(.general, "undecided")))
    let there = Workshop(catalog: catalog, worker: 2)
    let id = try JobID("a")
    try here.runner.start([try here.request("a")])
    #expect(try await here.runner.wait(for: id).status == .pending)
    try there.runner.conclude(orphan: id, error: nil, result: "{}")
    #expect(try await here.runner.wait(for: id).result == "{}")
    try await eventually("idle") { !here.runner.isFollowingStore }
    try await here.runner.apply(.dismiss, to: id)
    #expect(try there.runner.jobs().isEmpty)
  }

  @Test("A closed store is not looked at any more, whatever is undecided there")
  func closed() async throws {
    let here = Workshop(
      catalog: catalog, worker: 1, outcome: .inDoubt(JobError(.general, "undecided")))
    try here.runner.start([try here.request("a")])
    #expect(try await here.runner.wait(for: JobID("a")).status == .pending)
    #expect(here.runner.isFollowingStore)
    catalog.close()
    try await eventually("idle") { !here.runner.isFollowingStore }
  }

  @Test("A runner with nothing to do stops looking at the store")
  func idle() async throws {
    let here = Workshop(catalog: catalog, worker: 1)
    try here.runner.start([try here.request("a")])
    _ = try await here.runner.wait(for: JobID("a"))
    try await eventually("idle") { !here.runner.isFollowingStore }
    try here.runner.start([try here.request("b") { control in try Gate().pass(control) }])
    #expect(here.runner.isFollowingStore)
    let there = Workshop(catalog: catalog, worker: 2)
    try await there.runner.apply(.cancel, to: JobID("b"))
    _ = try await here.runner.wait(for: JobID("b"))
  }
}
