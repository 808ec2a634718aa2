import Testing

@testable import Jobs

@Suite("Progress and speed")
struct ProgressTests {
  @Test("Queries in the process see bytes done and foreseen at once")
  func live() async throws {
    let gate = Gate()
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in
        control.foresee(1_000)
        try control.advance(10)
        control.foresee(-200)
        try control.advance(300)
        try gate.pass(control)
      }
    ])
    try await eventually("progress") {
      try shop.info("a").progress == JobProgress(current: 310, total: 800)
    }
    gate.open()
    let record = try await shop.runner.wait(for: JobID("a"))
    #expect(record.progress == JobProgress(current: 310, total: 800))
    #expect(try shop.store.job(JobID("a"))?.progress == JobProgress(current: 310, total: 800))
  }

  @Test("The store is told of progress, but not of every batch")
  func storedNowAndThen() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in
        for _ in 0..<10_000 { try control.advance(1) }
        usleepMilliseconds(300)
        try control.advance(1)
      }
    ])
    _ = try await shop.runner.wait(for: JobID("a"))
    let writes = shop.catalog.progressWrites
    #expect(writes.contains { $0.current == 10_001 })
    #expect(writes.count < 1_000)
  }

  @Test("A control of no job counts and lets everything pass")
  func detached() throws {
    let control = JobControl()
    control.foresee(5)
    try control.advance(3)
    try control.checkpoint()
    try control.awaitCompletion()
    #expect(control.progress == JobProgress(current: 3, total: 5))
  }

  @Test("Progress never traps, whatever a work counts")
  func overflow() throws {
    let control = JobControl()
    control.foresee(.max)
    control.foresee(.max)
    try control.advance(.max)
    try control.advance(1)
    #expect(control.progress.current == .min)
  }

  @Test("A batch reserves the time that it may take at the least")
  func reservation() {
    let limit = SpeedLimit()
    limit.charge(1_000, now: 50)
    #expect(limit.delay(now: 50) == 0, "there is no limit yet")
    limit.set(1_000)
    limit.charge(500, now: 100)
    #expect(limit.delay(now: 100) == 500_000_000)
    limit.charge(500, now: 200)
    #expect(limit.delay(now: 100) == 1_000_000_000)
    #expect(limit.delay(now: 1_000_000_100) == 0)
    limit.set(10)
    #expect(limit.delay(now: 100) == 0, "a new limit starts anew")
    limit.charge(-5, now: 100)
    #expect(limit.delay(now: 100) == 0)
    limit.charge(.max, now: 100)
    #expect(limit.delay(now: 100) > 0)
    limit.set(0)
    #expect(limit.delay(now: 100) == 0)
  }

  @Test("A slow job is made fast again, paused and cancelled while it is held back")
  func setSpeed() async throws {
    let shop = Workshop()
    let id = try JobID("a")
    let start = Gate()
    try shop.runner.start([
      try shop.request("a") { control in
        try start.pass(control)
        while true { try control.advance(1_000_000) }
      }
    ])
    try await shop.reaches(.running, "a")
    #expect(throws: JobError(.usage, "Parameter 'speed' expects a non-negative value")) {
      try shop.runner.setSpeed(-1, of: id)
    }
    try shop.runner.setSpeed(1, of: id)
    start.open()
    try await eventually("first batch") { try shop.info("a").progress.current == 1_000_000 }
    try await Task.sleep(for: .milliseconds(60))
    #expect(try shop.info("a").progress.current == 1_000_000)
    try await shop.runner.apply(.pause, to: id)
    try await shop.reaches(.paused, "a")
    try await shop.runner.apply(.resume, to: id)
    try await shop.reaches(.running, "a")
    #expect(try shop.info("a").progress.current == 1_000_000)
    try shop.runner.setSpeed(0, of: id)
    try await eventually("speed") { try shop.info("a").progress.current > 10_000_000 }
    try shop.runner.setSpeed(1, of: id)
    try await shop.runner.apply(.cancel, to: id)
    #expect(try await shop.runner.wait(for: id).error == .operationCanceled)
    #expect(throws: JobError.refused(.setSpeed, of: id, in: .concluded)) {
      try shop.runner.setSpeed(1, of: id)
    }
  }
}
