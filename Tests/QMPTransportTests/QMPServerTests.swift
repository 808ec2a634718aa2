import Glibc
import QMP
import QMPTransport
import TestOracles
import Testing

@Suite(.serialized) struct QMPServerTests {
  private let directory: TemporaryDirectory
  private let endpoint = ToyEndpoint()
  private var path: String { directory.path("qmp.sock") }

  init() throws { directory = try TemporaryDirectory() }

  /// Runs a server while the body runs.
  private func serving<Value: Sendable>(
    _ body: @escaping @Sendable (QMPServer) async throws -> Value
  ) async throws -> Value {
    let server = QMPServer(endpoint: endpoint, commands: ToyEndpoint.commands)
    let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
    let path = path
    async let running: Void = server.run(.path(path)) { isReady.finish() }
    for await _ in ready {}
    let value: Value
    do {
      value = try await body(server)
    } catch {
      await server.stop(reason: "host-signal")
      throw error
    }
    await server.stop(reason: "host-signal")
    try await running
    return value
  }

  /// Writes bytes to the server, and reads until it has closed the connection or is silent.
  private static func exchange(
    _ path: String, _ text: String, untilLines count: Int = .max
  ) async throws -> [String] {
    let client = try await RawClient(path: path)
    try await client.write(Array(text.utf8))
    return try await client.lines(count)
  }

  private static let negotiate = #"{"execute": "qmp_capabilities"}"# + "\n"

  @Test func `a conversation has QEMU's bytes`() async throws {
    let path = path
    let lines = try await serving { _ in
      try await Self.exchange(
        path,
        Self.negotiate + "{'execute': 'echo', 'arguments': {'a': '\u{e9}'}, 'id': 1}"
          + #"{"execute":"nope"}"# + "\r\n",
        untilLines: 4)
    }
    #expect(
      lines == [
        #"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": "toy"}, "#
          + #""capabilities": ["oob", "x-snapjob-kind"]}}"#,
        #"{"return": {}}"#, #"{"return": {"a": "\u00E9"}, "id": 1}"#,
        #"{"error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}"#,
      ])
  }

  @Test func `the socket is its owner's alone, and goes with the server`() async throws {
    let path = path
    try await serving { _ in
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
    }
    #expect(access(path, F_OK) != 0)
  }

  @Test func `a stale socket is replaced; a live one and another file are left alone`() async throws
  {
    let path = path
    let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    try #require(RawClient.bind(stale, path))
    close(stale)
    try await serving { server in
      let second = QMPServer(endpoint: ToyEndpoint(), commands: [])
      let inUse = await #expect(throws: QMPError.self) { try await second.run(.path(path)) }
      #expect(inUse?.kind == "inUse")
      let lines = try await Self.exchange(path, "", untilLines: 1)
      #expect(lines.count == 1)
    }
    let file = directory.path("file")
    try #require(close(open(file, O_CREAT | O_WRONLY, 0o600)) == 0)
    let other = QMPServer(endpoint: endpoint, commands: [])
    let conflict = await #expect(throws: QMPError.self) { try await other.run(.path(file)) }
    #expect(conflict?.kind == "conflict")
    let long = await #expect(throws: QMPError.self) {
      try await other.run(.path("/" + String(repeating: "x", count: 200)))
    }
    #expect(long?.kind == "usage")
  }

  @Test func `clients that go at once, or come while it stops, leave the server whole`()
    async throws
  {
    let path = path
    for round in 0..<12 {
      let left = try await serving { server in
        for _ in 0..<100 { _ = try await RawClient(path: path) }
        let lines = try await Self.exchange(path, "", untilLines: 1)
        #expect(lines.count == 1)
        // These come while the server, which is stopped when this returns, still accepts.
        return try await withThrowingTaskGroup(of: RawClient?.self) { group in
          for _ in 0..<8 { group.addTask { try? await RawClient(path: path) } }
          if round.isMultiple(of: 2) {
            group.addTask {
              await server.stop(reason: "host-signal"); return nil
            }
          }
          return try await group.reduce(into: []) { $0.append($1) }
        }
      }
      for client in left.compactMap(\.self) { #expect(try await client.isCutOff()) }
    }
  }

  @Test func `events come after negotiation only, to everybody who is through with it`()
    async throws
  {
    let (path, endpoint) = (path, endpoint)
    try await serving { _ in
      let silent = try await RawClient(path: path)
      let clients = [try await RawClient(path: path), try await RawClient(path: path)]
      #expect(try await silent.lines(1).count == 1)
      for client in clients {
        try await client.write(Array(Self.negotiate.utf8))
        #expect(try await client.lines(2).count == 2)
      }
      endpoint.emit("JOB_STATUS_CHANGE", ["id": "j", "status": "created"])
      for client in clients {
        #expect(
          try await client.lines(1) == [
            #"{"timestamp": {"seconds": 1, "microseconds": 500000}, "event": "JOB_STATUS_CHANGE", "#
              + #""data": {"id": "j", "status": "created"}}"#
          ])
      }
      try await silent.write(Array(Self.negotiate.utf8))
      #expect(try await silent.lines(1) == [#"{"return": {}}"#])
    }
  }

  @Test func `a client that stops reading is cut off and harms nobody`() async throws {
    let (path, endpoint) = (path, endpoint)
    try await serving { _ in
      let lazy = try await RawClient(path: path)
      try await lazy.write(Array(Self.negotiate.utf8))
      #expect(try await lazy.lines(2).count == 2)
      let padding = QMPValue.string(String(repeating: "y", count: 2_000))
      for round in 0..<40 {
        for _ in 0..<100 { endpoint.emit("NOISE", padding) }
        let lines = try await Self.exchange(
          path, Self.negotiate + #"{"execute": "echo", "id": \#(round)}"#, untilLines: 3)
        #expect(lines.contains { $0.contains(#""id": \#(round)"#) } || lines.count == 3)
      }
      #expect(try await lazy.isCutOff())
    }
  }

  @Test func `a command out of band overtakes one that is executed`() async throws {
    let path = path
    let replies = try await serving { _ in
      let client = try await RawClient(path: path)
      let negotiation = #"{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}"#
      try await client.write(Array(negotiation.utf8))
      #expect(try await client.lines(2).count == 2)
      let commands =
        #"{"execute": "block", "id": 1}{"execute": "echo", "id": 2}"#
        + #"{"exec-oob": "unblock", "id": 3}"#
      try await client.write(Array(commands.utf8))
      return try await client.lines(3)
    }
    #expect(replies.count == 3 && replies.contains(#"{"return": {}, "id": 3}"#))
    let inBand = replies.filter { !$0.contains(#""id": 3"#) }
    #expect(inBand == [#"{"return": {}, "id": 1}"#, #"{"return": {}, "id": 2}"#])
  }

  @Test func `what was asked for is answered although the client has no more to say`() async throws
  {
    let path = path
    let lines = try await serving { _ in
      let client = try await RawClient(path: path)
      try await client.write(
        Array((Self.negotiate + #"{"execute": "big"}{"execute": "echo", "id": 9}"#).utf8))
      client.endWriting()
      return try await client.lines(.max)
    }
    #expect(lines.count == 4 && lines.last == #"{"return": {}, "id": 9}"#)
    #expect(lines.dropFirst(2).first?.count == (1 << 20) + 14)
  }

  @Test func `at the end clients are told, and refused before`() async throws {
    let path = path
    let lines = try await serving { server in
      let client = try await RawClient(path: path)
      try await client.write(Array(Self.negotiate.utf8))
      var lines = try await client.lines(2)
      server.refuseCommands()
      try await client.write(Array(#"{"execute": "echo"}"#.utf8))
      lines += try await client.lines(1)
      await server.stop(reason: "host-signal")
      return lines + (try await client.lines(.max))
    }
    #expect(lines.count == 4)
    #expect(lines[2].contains("snapjob is shutting down"))
    #expect(
      lines[3].hasSuffix(
        #""event": "SHUTDOWN", "data": {"guest": false, "reason": "host-signal"}}"#))
  }

  @Test func `garbage, half messages and clients that go away leave the server as it was`()
    async throws
  {
    let path = path
    try await serving { _ in
      for text in ["\u{1}\u{1}", "{\"execute\": \"qmp_cap", "]]]]", "[[[[[[", "\"", "{{{{"] {
        let client = try await RawClient(path: path)
        try await client.write(Array(text.utf8))
      }
      for _ in 0..<300 { _ = try await RawClient(path: path) }
      let lines = try await Self.exchange(
        path, "\u{1}" + Self.negotiate + #"{"execute": "echo"}"#, untilLines: 4)
      #expect(lines.last == #"{"return": {}}"#)
    }
  }

  @Test func `two hundred clients at once are all served`() async throws {
    let path = path
    let answers = try await serving { _ in
      try await withThrowingTaskGroup(of: [String].self) { group in
        for number in 0..<200 {
          group.addTask {
            try await Self.exchange(
              path, Self.negotiate + #"{"execute": "echo", "id": \#(number)}"#, untilLines: 3)
          }
        }
        return try await group.reduce(into: [String]()) { $0 += $1.suffix(1) }
      }
    }
    #expect(Set(answers) == Set((0..<200).map { #"{"return": {}, "id": \#($0)}"# }))
  }
}
