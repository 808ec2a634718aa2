import Testing

@testable import Jobs

@Suite("Several jobs that are started together")
struct JobGroupingTests {
  private static let full = JobError(.noSpace, "full")

  @Test("On their own they are created together, and each commits by itself")
  func individual() async throws {
    let shop = Workshop()
    try shop.runner.start(
      [try shop.request("a") { _ in throw Self.full }, try shop.request("b")], .individual)
    #expect(try await shop.runner.wait(for: JobID("a")).error == Self.full)
    #expect(try await shop.runner.wait(for: JobID("b")).error == nil)
    #expect(shop.catalog.trail.prefix(2) == ["a created", "b created"])
    #expect(shop.diary.entries.filter { $0.hasPrefix("commit") } == ["commit b"])
  }

  @Test("On their own one that waits for its finalize keeps no other one")
  func individualFinalize() async throws {
    let shop = Workshop()
    try shop.runner.start(
      [try shop.request("a", autoFinalize: false), try shop.request("b")], .individual)
    #expect(try await shop.runner.wait(for: JobID("b")).status == .concluded)
    #expect(try await shop.runner.wait(for: JobID("a"), orPending: true).status == .pending)
    try await shop.runner.apply(.finalize, to: JobID("a"))
    #expect(try await shop.runner.wait(for: JobID("a")).error == nil)
  }

  @Test("What has to be done before they start is done when all are created")
  func onceCreated() async throws {
    let shop = Workshop()
    var seen: [JobStatus] = []
    try shop.runner.start([try shop.request("a"), try shop.request("b")]) { () throws(JobError) in
      seen = try shop.runner.jobs().map(\.status)
    }
    #expect(seen == [.created, .created])
    #expect(try await shop.runner.wait(for: JobID("b")).error == nil)
  }

  @Test("If that fails they are forgotten, newest first, and never enter their work")
  func onceCreatedFails() async throws {
    let shop = Workshop()
    #expect(throws: Self.full) {
      try shop.runner.start(
        [try shop.request("a"), try shop.request("b")]
      ) { () throws(JobError) in throw Self.full }
    }
    #expect(shop.catalog.trail == ["a created", "b created", "b null", "a null"])
    #expect(shop.diary.entries.isEmpty)
    #expect(try shop.runner.jobs().isEmpty)
    try shop.runner.start([try shop.request("a")])
    #expect(try await shop.runner.wait(for: JobID("a")).error == nil)
  }

  @Test("It is not done if one cannot be created")
  func notCreated() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("a")])
    _ = try await shop.runner.wait(for: JobID("a"))
    var isCalled = false
    #expect(throws: JobError.jobIDInUse(try JobID("a"))) {
      try shop.runner.start(
        [try shop.request("b"), try shop.request("a")]
      ) { () throws(JobError) in isCalled = true }
    }
    #expect(!isCalled)
  }
}
