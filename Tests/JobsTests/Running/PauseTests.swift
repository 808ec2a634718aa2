import Testing

@testable import Jobs

@Suite("Pausing")
struct PauseTests {
  @Test("A paused job does no work until it is resumed, and then goes on")
  func pauseAndResume() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([
      try shop.request("a") { control in
        while !gate.isOpen { try control.advance(1) }
      }
    ])
    try await shop.reaches(.running, "a")
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.resume, to: id) }
        == "Can't resume a job that was not paused")
    try await shop.runner.apply(.pause, to: id)
    #expect(
      await refusal { () async throws(JobError) in try await shop.runner.apply(.pause, to: id) }
        == "Job is already paused")
    try await shop.reaches(.paused, "a")
    let before = try shop.info("a").progress
    try await Task.sleep(for: .milliseconds(50))
    #expect(try shop.info("a").progress == before)
    gate.open()
    try await Task.sleep(for: .milliseconds(20))
    #expect(try shop.info("a").status == .paused)
    try await shop.runner.apply(.resume, to: id)
    #expect(try await shop.runner.wait(for: id).error == nil)
    #expect(
      shop.catalog.trail(of: "a")
        == [.created, .running, .paused, .running, .waiting, .pending, .concluded])
  }

  @Test("A job that is paused before it starts rests at its first checkpoint")
  func pausedWhileCreated() async throws {
    let shop = Workshop(holdsThreads: true)
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a")])
    try await shop.runner.apply(.pause, to: id)
    let thread = Task.detached { shop.threads.release() }
    try await shop.reaches(.paused, "a")
    #expect(shop.diary.entries.isEmpty)
    try await shop.runner.apply(.resume, to: id)
    await thread.value
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test("A job that was told to pause is not committed, even if its work is over")
  func pausedAtTheEnd() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { _ in gate.passBlindly() }])
    try await shop.reaches(.running, "a")
    try await shop.runner.apply(.pause, to: id)
    gate.open()
    try await shop.reaches(.paused, "a")
    #expect(shop.diary.entries == ["prepare a", "prepared a"])
    try await shop.runner.apply(.resume, to: id)
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test("All threads of a job rest, and all go on")
  func severalThreads() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    let counts = (0..<3).map { _ in Counter() }
    try shop.runner.start([
      try shop.request("a") { control in
        try concurrently(counts.count) { index in
          while !gate.isOpen {
            try control.checkpoint()
            counts[index].increment()
            usleepMilliseconds(1)
          }
        }
      }
    ])
    for _ in 0..<5 {
      try await eventually("all work") { counts.allSatisfy { $0.value > 0 } }
      try await shop.runner.apply(.pause, to: id)
      try await shop.reaches(.paused, "a")
      try await eventually("all rest") {
        let before = counts.map(\.value)
        usleepMilliseconds(10)
        return counts.map(\.value) == before
      }
      for count in counts { count.reset() }
      try await shop.runner.apply(.resume, to: id)
      try await shop.reaches(.running, "a")
    }
    try await eventually("all work") { counts.allSatisfy { $0.value > 0 } }
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == nil)
  }

  @Test("Pausing and resuming over and over loses no wake-up")
  func overAndOver() async throws {
    let gate = Gate()
    let shop = Workshop()
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try gate.pass(control) }])
    for round in 0..<200 {
      try await shop.runner.apply(.pause, to: id)
      if round.isMultiple(of: 3) { try await shop.reaches(.paused, "a") }
      try await shop.runner.apply(.resume, to: id)
    }
    gate.open()
    #expect(try await shop.runner.wait(for: id).error == nil)
  }
}
