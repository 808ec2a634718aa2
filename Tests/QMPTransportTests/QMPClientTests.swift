import Glibc
import QMP
import QMPTransport
import Synchronization
import SystemPackage
import TestOracles
import Testing

@Suite(.serialized) struct QMPClientTests {
  private let directory: TemporaryDirectory
  private let endpoint = ToyEndpoint()
  private var path: String { directory.path("qmp.sock") }

  init() throws { directory = try TemporaryDirectory() }

  /// Connects to a server of the toy endpoint.
  private func connected<Value: Sendable>(
    _ body: @escaping @Sendable (QMPClient, QMPServer) async throws -> Value
  ) async throws -> Value {
    let server = QMPServer(endpoint: endpoint, commands: ToyEndpoint.commands)
    let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
    let path = path
    async let running: Void = server.run(.path(path)) { isReady.finish() }
    for await _ in ready {}
    let outcome: Result<Value, any Error>
    do {
      let client = try await QMPClient.connect(to: .unix(path: path))
      do {
        outcome = .success(try await body(client, server))
      } catch {
        outcome = .failure(error)
      }
      await client.close()
    } catch {
      outcome = .failure(error)
    }
    await server.stop(reason: "host-signal")
    try await running
    return try outcome.get()
  }

  @Test func `each command gets its own reply, of any size`() async throws {
    try await connected { client, _ in
      #expect(client.namesFailureKinds)
      #expect(client.version["package"] == "toy")
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<50 {
          group.addTask {
            let argument: QMPValue = ["n": .int(Int64(number))]
            return try await client.execute("echo", argument) == argument
          }
        }
        for try await isOwn in group { #expect(isOwn) }
      }
      let big = try await client.execute("big", nil)
      #expect(big == .string(String(repeating: "x", count: 1 << 20)))
    }
  }

  @Test func `errors have their class, and their kind from a snapjob server`() async throws {
    try await connected { client, _ in
      let error = await #expect(throws: QMPError.self) { try await client.execute("nope", nil) }
      #expect(error?.errorClass == .commandNotFound)
      #expect(error?.kind == nil)
      let kind = await #expect(throws: QMPError.self) { try await client.execute("fail", nil) }
      #expect(kind == QMPError(.genericError, "There is no such thing", kind: "notFound"))
    }
  }

  @Test func `events that come before a reply are kept`() async throws {
    let endpoint = endpoint
    try await connected { client, _ in
      let events = client.events()
      _ = try await client.execute("echo", nil)
      endpoint.emit("STOP")
      endpoint.emit("RESUME", ["a": 1])
      _ = try await client.execute("echo", nil)
      var names: [String] = []
      for await event in events {
        names.append(event.name)
        #expect(event.microseconds == 1_500_000)
        if names.count == 2 { break }
      }
      #expect(names == ["STOP", "RESUME"])
    }
  }

  @Test func `a deadline ends the waiting, and the reply that comes later is nobody's`()
    async throws
  {
    try await connected { client, _ in
      let late = await #expect(throws: QMPError.self) {
        try await client.execute("block", nil, within: .milliseconds(50))
      }
      #expect(late?.kind == "timeout")
      async let echo = client.execute("echo", ["a": 1])
      let other = try await QMPClient.connect(to: client.address)
      _ = try await other.execute("unblock", nil)
      await other.close()
      #expect(try await echo == ["a": 1])
    }
  }

  @Test func `a server that goes away ends what waits with exit code 8's kind`() async throws {
    let (path, endpoint) = (path, endpoint)
    try await connected { client, server in
      let events = client.events()
      let waiting = Task { try await client.execute("block", nil) }
      while !endpoint.executed.withLock({ $0.contains("block") }) { await Task.yield() }
      await server.stop(reason: "host-signal")
      let error = await #expect(throws: QMPError.self) { try await waiting.value }
      #expect(error?.kind == "connection" && error?.desc == "unix:\(path): the server went away")
      let later = await #expect(throws: QMPError.self) { try await client.execute("echo", nil) }
      #expect(later?.kind == "connection")
      var names: [String] = []
      for await event in events { names.append(event.name) }
      #expect(names == ["SHUTDOWN"])
      _ = try await endpoint.execute("unblock", nil)
    }
  }

  @Test func `nobody there, no socket and no QMP are told apart from no permission`() async throws {
    let missing = await #expect(throws: QMPError.self) {
      try await QMPClient.connect(to: .unix(path: path))
    }
    #expect(missing?.kind == "connection")
    #expect(missing?.desc.contains("nobody listens there") == true)
    let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    try #require(RawClient.bind(stale, path))
    close(stale)
    let refused = await #expect(throws: QMPError.self) {
      try await QMPClient.connect(to: .unix(path: path))
    }
    #expect(refused?.kind == "connection")
    let port = await #expect(throws: QMPError.self) {
      try await QMPClient.connect(to: .tcp(host: "127.0.0.1", port: 1))
    }
    #expect(port?.kind == "connection")
  }

  /// A program that connects and does nothing.
  private static func idleClient(of path: String) throws -> ChildProcess {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    defer { try? null.close() }
    return try ChildProcess(
      ["socat", "-u", "UNIX-CONNECT:\(path)", "STDOUT"], input: null, output: null, error: null)
  }

  @Test func `a silent socket is a monitor that another client has, and that one is named`()
    async throws
  {
    let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    try #require(RawClient.bind(listener, path))
    try #require(listen(listener, 8) == 0)
    let other = try Self.idleClient(of: path)
    defer { other.kill() }
    let first = accept(listener, nil, nil)
    defer { close(first) }
    let error = await #expect(throws: QMPError.self) {
      try await QMPClient.connect(to: .unix(path: path), greetingWithin: .milliseconds(200))
    }
    #expect(error?.kind == "connection")
    #expect(error?.desc.contains("another client has this monitor: socat (pid ") == true)
  }

  @Test func `a socket at which no more clients can wait is a monitor that others have`()
    async throws
  {
    let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    try #require(RawClient.bind(listener, path))
    try #require(listen(listener, 0) == 0)
    let waiting = try await RawClient(path: path)
    let error = await #expect(throws: QMPError.self) {
      try await QMPClient.connect(to: .unix(path: path), greetingWithin: .milliseconds(200))
    }
    #expect(error?.kind == "connection")
    #expect(error?.desc.contains("another client has this monitor") == true)
    withExtendedLifetime(waiting) {}
  }

  @Test func `QEMU is talked to, and its errors have no kind`() async throws {
    let vm = try QemuVM(
      [], isRunning: true, arguments: ["-qmp", "unix:\(path),server=on,wait=off"])
    defer { vm.kill() }
    let client = try await QMPClient.connect(to: .unix(path: path))
    #expect(!client.namesFailureKinds)
    let events = client.events()
    #expect(try await client.execute("query-status", nil)["status"] == "running")
    _ = try await client.execute("stop", nil)
    for await event in events {
      #expect(event.name == "STOP" && event.microseconds > 0)
      break
    }
    let error = await #expect(throws: QMPError.self) {
      try await client.execute("job-dismiss", ["id": "zz"])
    }
    #expect(error == QMPError(.genericError, "Job not found"))
    let schema = try await client.execute("query-qmp-schema", nil)
    guard case .array(let entries) = schema else {
      Issue.record("\(schema)")
      return
    }
    #expect(entries.count > 500)
    await client.close()
  }

  @Test(
    "An address is read or refused",
    arguments: [
      ("unix:/a/b", "unix:/a/b"), ("tcp:host:4444", "tcp:host:4444"),
      ("tcp:[::1]:1", "tcp:[::1]:1"), ("tcp:host", nil), ("tcp::1", nil), ("tcp:h:0", nil),
      ("tcp:h:70000", nil), ("unix:", nil), ("/a/b", nil), ("", nil),
    ])
  func address(text: String, expected: String?) throws {
    if let expected {
      #expect(try QMPAddress(text).description == expected)
    } else {
      let error = #expect(throws: QMPError.self) { try QMPAddress(text) }
      #expect(error?.kind == "usage")
    }
  }
}
