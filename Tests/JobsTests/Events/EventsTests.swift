import Testing

@testable import Jobs

@Suite("Events")
struct EventsTests {
  /// Reads events until one fits, at most a hundred.
  private func read(
    _ stream: AsyncStream<JobEvent>, until isLast: (JobEvent) -> Bool
  ) async -> [String] {
    var lines: [String] = []
    for await event in stream {
      lines.append("\(event.id) \(event.status.rawValue)")
      if isLast(event) || lines.count == 100 { break }
    }
    return lines
  }

  @Test("A reader sees each status change once and in order, from its subscription on")
  func order() async throws {
    let shop = Workshop()
    try shop.runner.start([try shop.request("before")])
    _ = try await shop.runner.wait(for: JobID("before"))
    let stream = shop.runner.events()
    try shop.runner.start([try shop.request("a")])
    let lines = await read(stream) { $0.status == .concluded }
    #expect(lines == ["a created", "a running", "a waiting", "a pending", "a concluded"])
  }

  @Test("A local change is there when the call that made it returns")
  func atOnce() async throws {
    let shop = Workshop(holdsThreads: true)
    let stream = shop.runner.events()
    try shop.runner.start([try shop.request("a")])
    var iterator = stream.makeAsyncIterator()
    let event = await iterator.next()
    #expect(event?.status == .created)
    #expect(event?.time == shop.catalog.firstEventTime)
    try await shop.runner.apply(.cancel, to: JobID("a"))
    _ = try await shop.runner.wait(for: JobID("a"))
  }

  @Test("Two processes' changes reach a reader of either in one and the same order")
  func twoProcesses() async throws {
    let catalog = ToyCatalog()
    let left = Workshop(catalog: catalog, worker: 1)
    let right = Workshop(catalog: catalog, worker: 2)
    let streams = [left.runner.events(), right.runner.events()]
    try left.runner.start([try left.request("l")])
    try right.runner.start([try right.request("r")])
    for name in ["l", "r"] { _ = try await left.runner.wait(for: JobID(name)) }
    try right.runner.start([try right.request("last")])
    for stream in streams {
      let lines = await read(stream) { $0.id.description == "last" && $0.status == .concluded }
      #expect(lines == catalog.trail)
    }
  }

  @Test("A reader who does not read is cut off, and the others go on")
  func slowReader() async throws {
    let gate = Gate()
    let shop = Workshop()
    let slow = shop.runner.events()
    let quick = shop.runner.events()
    let reading = Task {
      await quick.reduce(into: 0) { count, event in count += 1 }
    }
    let id = try JobID("a")
    try shop.runner.start([try shop.request("a") { control in try gate.pass(control) }])
    for _ in 0..<600 {
      try await shop.runner.apply(.pause, to: id)
      try await shop.reaches(.paused, "a")
      try await shop.runner.apply(.resume, to: id)
      try await shop.reaches(.running, "a")
    }
    gate.open()
    _ = try await shop.runner.wait(for: id)
    var count = 0
    for await _ in slow { count += 1 }
    #expect(count == JobBroadcast.capacity)
    #expect(shop.catalog.trail.count > JobBroadcast.capacity + 100)
    #expect(shop.runner.ledger.broadcast.hasSubscribers)
    reading.cancel()
    _ = await reading.value
    try await eventually("nobody follows") { !shop.runner.ledger.broadcast.hasSubscribers }
  }

  @Test("Events of a store that cannot be read end at once")
  func unreadable() async throws {
    let shop = Workshop()
    shop.catalog.becomeUnreadable()
    for await _ in shop.runner.events() { Issue.record("there is nothing to read") }
  }
}
