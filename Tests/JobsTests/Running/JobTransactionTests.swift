import Testing

@testable import Jobs

@Suite("Transactions of several jobs")
struct JobTransactionTests {
  private static let canceled = JobError(.cancelled, "Operation canceled")

  @Test("A pair that goes well is created in order, and pends and concludes newest first")
  func success() async throws {
    let first = Gate()
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in try first.pass(control) }, try shop.request("b"),
    ])
    try await shop.reaches(.waiting, "b")
    first.open()
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == nil)
    }
    let trail = shop.catalog.trail
    #expect(trail.prefix(2) == ["a created", "b created"])
    #expect(
      trail.suffix(5) == ["a waiting", "b pending", "a pending", "b concluded", "a concluded"])
    #expect(shop.diary.entries.suffix(3) == ["commit a b", "finish b", "finish a"])
    #expect(Set(try shop.runner.jobs().map(\.transaction)).count == 1)
  }

  @Test("One manual member keeps the whole transaction pending; finalizing any one commits all")
  func manualMember() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a"), try shop.request("b", autoFinalize: false),
    ])
    #expect(try await shop.runner.wait(for: JobID("a"), orPending: true).status == .pending)
    #expect(try await shop.runner.wait(for: JobID("b"), orPending: true).status == .pending)
    try await shop.runner.apply(.finalize, to: JobID("a"))
    for name in ["a", "b"] {
      let record = try await shop.runner.wait(for: JobID(name))
      #expect(record.status == .concluded && record.error == nil)
    }
  }

  @Test("When one fails, one that waits is undone and ends with 'Operation canceled'")
  func oneFails() async throws {
    let gate = Gate()
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in
        try gate.pass(control)
        throw JobError(.noSpace, "full")
      },
      try shop.request("b"),
    ])
    try await shop.reaches(.waiting, "b")
    gate.open()
    #expect(try await shop.runner.wait(for: JobID("a")).error == JobError(.noSpace, "full"))
    #expect(try await shop.runner.wait(for: JobID("b")).error == Self.canceled)
    #expect(
      shop.catalog.trail.suffix(4)
        == ["a aborting", "b aborting", "b concluded", "a concluded"])
    #expect(shop.diary.entries.last == "undo b")
  }

  @Test("When one fails, one that runs is cancelled, and the failed one ends after it")
  func oneFailsWhileTheOtherRuns() async throws {
    let shop = Workshop()
    let isIn = Gate()
    try shop.runner.start([
      try shop.request("a") { control in
        try isIn.pass(control)
        throw ToyFailure(description: "broken")
      },
      try shop.request("b") { control in
        isIn.open()
        try Gate().pass(control)
      },
    ])
    #expect(try await shop.runner.wait(for: JobID("a")).error?.message == "broken")
    #expect(try await shop.runner.wait(for: JobID("b")).error == Self.canceled)
    #expect(
      shop.catalog.trail.suffix(4)
        == ["a aborting", "b aborting", "b concluded", "a concluded"])
    #expect(!shop.diary.entries.contains { $0.hasPrefix("undo") })
  }

  @Test("When one fails, a paused one is resumed to be cancelled")
  func oneFailsWhileTheOtherIsPaused() async throws {
    let gate = Gate()
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in
        try gate.pass(control)
        throw ToyFailure(description: "broken")
      },
      try shop.request("b") { control in try Gate().pass(control) },
    ])
    try await shop.runner.apply(.pause, to: JobID("b"))
    try await shop.reaches(.paused, "b")
    gate.open()
    #expect(try await shop.runner.wait(for: JobID("b")).error == Self.canceled)
    #expect(
      shop.catalog.trail(of: "b")
        == [.created, .running, .paused, .running, .aborting, .concluded])
    _ = try await shop.runner.wait(for: JobID("a"))
  }

  @Test("When one fails, one that has not started is forgotten unstarted")
  func oneFailsWhileTheOtherIsCreated() async throws {
    let shop = Workshop(holdsThreads: true)
    try shop.runner.start([
      try shop.request("a") { _ in throw ToyFailure(description: "broken") },
      try shop.request("b") { _ in },
    ])
    try await shop.runner.apply(.cancel, to: JobID("a"))
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.canceled)
      #expect(shop.catalog.trail(of: name) == [.created, .aborting, .concluded, .null])
    }
    shop.threads.release()
    #expect(shop.diary.entries.isEmpty)
  }

  @Test("Cancelling one that runs ends the whole transaction")
  func oneIsCancelled() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in try Gate().pass(control) }, try shop.request("b"),
    ])
    try await shop.reaches(.waiting, "b")
    try await shop.runner.apply(.cancel, to: JobID("a"))
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.canceled)
    }
    #expect(shop.diary.entries.suffix(1) == ["undo b"])
  }

  @Test("Cancelling one that waits ends the whole transaction")
  func cancelWhileWaiting() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a") { control in try Gate().pass(control) }, try shop.request("b"),
    ])
    try await shop.reaches(.running, "a")
    try await shop.reaches(.waiting, "b")
    try await shop.runner.apply(.cancel, to: JobID("b"))
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.canceled)
    }
    #expect(
      shop.catalog.trail(of: "b") == [.created, .running, .waiting, .aborting, .concluded])
    #expect(shop.catalog.trail(of: "a") == [.created, .running, .aborting, .concluded])
  }

  @Test("Cancelling one that is pending undoes all, newest first")
  func cancelWhilePending() async throws {
    let shop = Workshop()
    try shop.runner.start([
      try shop.request("a", autoFinalize: false), try shop.request("b", autoFinalize: false),
    ])
    _ = try await shop.runner.wait(for: JobID("a"), orPending: true)
    try await shop.runner.apply(.cancel, to: JobID("a"))
    for name in ["a", "b"] {
      #expect(try await shop.runner.wait(for: JobID(name)).error == Self.canceled)
    }
    #expect(
      shop.catalog.trail.suffix(4)
        == ["b aborting", "b concluded", "a aborting", "a concluded"])
    #expect(shop.diary.entries.suffix(2) == ["undo b", "undo a"])
  }

  @Test("Two failures in one transaction are both kept")
  func bothFail() async throws {
    let shop = Workshop()
    let gates = [Gate(), Gate()]
    try shop.runner.start([
      try shop.request("a") { _ in
        gates[0].open()
        gates[1].passBlindly()
        throw ToyFailure(description: "first")
      },
      try shop.request("b") { _ in
        gates[1].open()
        gates[0].passBlindly()
        throw ToyFailure(description: "second")
      },
    ])
    #expect(try await shop.runner.wait(for: JobID("a")).error?.message == "first")
    #expect(try await shop.runner.wait(for: JobID("b")).error?.message == "second")
  }

  @Test("A finalize and a cancel at once end in one of two ways, for both jobs alike")
  func race() async throws {
    for _ in 0..<50 {
      let shop = Workshop()
      try shop.runner.start([
        try shop.request("a", autoFinalize: false), try shop.request("b", autoFinalize: false),
      ])
      _ = try await shop.runner.wait(for: JobID("a"), orPending: true)
      async let finalize = refusal { () async throws(JobError) in
        try await shop.runner.apply(.finalize, to: JobID("a"))
      }
      async let cancel = refusal { () async throws(JobError) in
        try await shop.runner.apply(.cancel, to: JobID("b"))
      }
      _ = await finalize
      let isCancelled = await cancel == nil
      let errors = try await [
        shop.runner.wait(for: JobID("a")).error, shop.runner.wait(for: JobID("b")).error,
      ]
      #expect(errors == (isCancelled ? [Self.canceled, Self.canceled] : [nil, nil]))
      let commits = shop.diary.entries.filter { $0.hasPrefix("commit") }.count
      #expect(commits == (isCancelled ? 0 : 1))
    }
  }
}
