import Glibc
import TestOracles
import Testing

/// Clients that send rubbish, too much or nothing at all: the server stays small, others are answered,
/// and jobs finish.
@Suite("Bad clients", .serialized) struct BadClientTests {
  private let program: Program
  private let server: Server
  /// A client that behaves.
  private let good: QMPSocket
  private var socket: String { program.path("qmp.sock") }

  init() throws {
    program = try Program()
    try program.makeDisks()
    server = try Server(program, ["serve", "--qmp", "unix:\(program.path("qmp.sock"))"])
    good = try QMPSocket(path: program.path("qmp.sock"), of: server.process)
  }

  /// Checks that the server is as it should be, and ends it.
  private func checkServer() throws {
    #expect(try good.execute("query-jobs").array != nil)
    #expect(try server.peakMemory() < Server.memoryLimit)
    #expect(server.terminate() == 0)
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test("while one client sends a gigabyte without a newline others are answered")
  func endless() throws {
    let bad = try BareClient(socket)
    bad.send("{'execute': 'qmp_capabilities'}\"")
    let chunk = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 24)
    for _ in 0..<64 {
      #expect(bad.send(chunk))
      try good.execute("query-jobs")
    }
    // An invalid byte brings it back.
    bad.send("\u{1}\n{\"execute\": \"query-jobs\", \"id\": 7}")
    #expect(bad.lines { $0.contains("\"id\": 7") }.last == #"{"return": [], "id": 7}"#)
    try checkServer()
  }

  @Test("garbage and half messages are answered with errors, and do no harm")
  func garbage() throws {
    let urandom = try Command.run("head", ["-c", "20000", "/dev/urandom"]).output
    for bytes in [urandom, Array(repeating: UInt8(ascii: "["), count: 5000), Array("{\"exe".utf8)] {
      let bad = try BareClient(socket)
      _ = bad.line()
      bad.send(bytes)
    }
    try checkServer()
  }

  @Test("ten thousand clients one after the other, and two hundred at once")
  func crowd() throws {
    for number in 0..<10_000 {
      let client = try BareClient(socket)
      if number.isMultiple(of: 100) {
        #expect(client.line()?.hasPrefix(#"{"QMP": "#) == true)
        try good.execute("query-jobs")
      }
    }
    let clients = try (0..<200).map { _ in try BareClient(socket) }
    for (number, client) in clients.enumerated() {
      client.send("{'execute': 'qmp_capabilities'}{'execute': 'query-jobs', 'id': \(number)}")
    }
    for (number, client) in clients.enumerated() {
      let lines = client.lines { $0.contains("\"id\"") }
      #expect(lines.last == "{\"return\": [], \"id\": \(number)}")
    }
    try checkServer()
  }

  @Test("clients that never read, never negotiate or leave in the middle do not hold up a job")
  func absent() throws {
    let silent = try BareClient(socket)
    let deaf = try BareClient(socket)
    deaf.send("{'execute': 'qmp_capabilities'}")
    for _ in 0..<200 { deaf.send("{'execute': 'query-named-block-nodes'}") }
    let leaving = try BareClient(socket)
    leaving.send(
      """
      {"execute": "qmp_capabilities"}
      {"execute": "snapshot-save", "arguments": {"job-id": "orphan", "tag": "t", "vmstate": "disk0", \
      "devices": ["disk0", "disk1"]}}
      """)
    #expect(leaving.lines { $0.contains("created") }.last?.contains("\"orphan\"") == true)
    leaving.close()
    try good.waitForJob("orphan")
    #expect(try program.tags() == [["t"], ["t"]])
    silent.send("{'execute': 'qmp_capabilities'}")
    #expect(silent.lines { $0 == #"{"return": {}}"# }.count == 2)
    deaf.close()
    try checkServer()
  }
}
