import Glibc
import TestOracles
import Testing

/// `snapjob serve` as other programs meet it.
@Suite("Serve") struct ServeTests {
  private let program: Program
  private var socket: String { program.path("qmp.sock") }

  init() throws {
    program = try Program()
    try program.makeDisks()
  }

  private func serve() throws -> (Server, QMPSocket) {
    let server = try Server(program, ["serve", "--qmp", "unix:\(socket)"])
    return (server, try QMPSocket(path: socket, of: server.process))
  }

  private static let devices = #""vmstate": "disk0", "devices": ["disk0", "disk1"]"#

  @Test(
    "qmp-shell of qemu.qmp saves, polls, loads and dismisses",
    .enabled(if: Examples.hasQMPClient, "needs: make qmp-client"))
  func qmpShell() throws {
    let shell = Examples.qmpClient("qmp-shell")
    let (server, _) = try serve()
    func run(_ line: String) throws -> String {
      let result = try Command.run(shell, [socket], input: Array("\(line)\n".utf8))
      #expect(!result.text.contains("\"error\":"), "\(line): \(result.text)")
      return result.text
    }
    func finish(_ id: String) throws {
      while !(try run("query-jobs").contains("\"concluded\"")) { usleep(10_000) }
      _ = try run("job-dismiss id=\(id)")
    }
    let devices = #"vmstate=disk0 devices=["disk0","disk1"]"#
    let before = try program.digests()
    _ = try run("snapshot-save job-id=s tag=clean \(devices)")
    try finish("s")
    #expect(try program.tags() == [["clean"], ["clean"]])
    try QemuIO.write(9, at: 0, length: 65536, in: program.path("disk0.qcow2"))
    _ = try run("snapshot-load job-id=l tag=clean \(devices)")
    try finish("l")
    #expect(try program.digests() == before)
    #expect(try run("query-jobs").contains("\"return\": []"))
    #expect(server.terminate() == 0)
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test(
    "the script on qemu.qmp saves and follows its job",
    .enabled(if: Examples.hasQMPClient, "needs: make qmp-client"))
  func script() throws {
    let python = Examples.qmpClient("python3")
    let (server, _) = try serve()
    let text = try Command.run(
      python, [Examples.path("jobs/save-over-qmp.py"), socket, "scripted"]
    )
    .text
    #expect(text == "created\nrunning\nwaiting\npending\nconcluded\n")
    #expect(try program.tags() == [["scripted"], ["scripted"]])
    let failed = try Command.attempt(
      python, [Examples.path("jobs/save-over-qmp.py"), socket, "scripted"])
    #expect(failed.status == 1)
    #expect(failed.standardError.contains("save-scripted: "))
    #expect(server.terminate() == 0)
  }

  @Test("each machine has a socket, also one that comes later, until it goes")
  func allMachines() throws {
    let pattern = program.path("{machine}.sock")
    let server = try Server(program, ["serve", "--qmp", "unix:\(pattern)", "--all-machines"])
    let first = try QMPSocket(path: program.path("default.sock"), of: server.process)
    #expect(try first.execute("query-named-block-nodes").array?.count == 2)
    try program.run("machine", "add", "web01")
    let second = try QMPSocket(path: program.path("web01.sock"), of: server.process)
    #expect(try second.execute("query-named-block-nodes").array?.count == 0)
    try program.run("machine", "remove", "web01")
    while access(program.path("web01.sock"), F_OK) == 0 { usleep(20_000) }
    #expect(throws: OracleError.self) { try second.execute("query-jobs") }
    #expect(try first.execute("query-jobs").array?.count == 0)
    #expect(server.terminate() == 0)
    #expect(access(program.path("default.sock"), F_OK) != 0)
  }

  @Test("on standard input and output one client is served to its last word")
  func stdio() throws {
    let requests = """
      {"execute": "qmp_capabilities"}
      {"execute": "snapshot-save", "arguments": {"job-id": "s", "tag": "t", \(Self.devices)}}
      """
    let result = try program.shell("printf '%s' \"$1\" | snapjob serve --qmp stdio", requests)
    #expect(result.status == 0, "\(result.failure())")
    let lines = result.text.split(separator: "\r\n")
    #expect(lines.first?.hasPrefix(#"{"QMP": {"version": "#) == true)
    #expect(lines.count { $0 == #"{"return": {}}"# } == 2)
    // The client had no more to say; what it has started went on.
    #expect(try program.tags() == [["t"], ["t"]])
  }

  @Test(
    "on standard input and output a client that reads nothing does not keep a server that is stopped"
  )
  func silentStdio() throws {
    let result = try program.shell(
      """
      mkfifo in out; exec 4<>in 5<>out
      snapjob serve --qmp stdio < in > out 2> said 4>&- 5>&- & p=$!
      { echo '{"execute": "qmp_capabilities"}'; yes '{"execute": "query-commands"}' | head -n 60; } >&4
      until grep -q serving said; do sleep 0.05; done
      sleep 1; kill -TERM $p; (sleep 20; kill -KILL $p) & watch=$!
      wait $p; echo $?; kill $watch
      """)
    #expect(result.text == "0\n", "\(result.standardError)")
  }

  @Test("SIGTERM undoes the job that is not past its commit, tells the clients, and is a success")
  func termination() throws {
    let (server, client) = try serve()
    try client.execute(
      "snapshot-save",
      #"{"job-id": "s", "tag": "t", \#(Self.devices), "x-auto-finalize": false}"#)
    while try client.execute("query-jobs").array?.first?["status"]?.string != "pending" {
      usleep(10_000)
    }
    let witness = try BareClient(socket)
    witness.send("{'execute': 'qmp_capabilities'}")
    #expect(witness.lines { $0 == #"{"return": {}}"# }.count == 2)
    #expect(server.terminate() == 0)
    let last = witness.lines { _ in false }
    #expect(last.contains { $0.contains(#""aborting""#) })
    #expect(last.contains { $0.contains(#""concluded""#) })
    #expect(last.last?.contains(#""event": "SHUTDOWN""#) == true)
    #expect(last.last?.contains(#""reason": "host-signal""#) == true)
    #expect(try program.tags() == [[], []])
    let show = try JSONValue(parsing: program.run("job", "show", "s", "--json").text)
    #expect(show["exit-code"]?.int == 10)
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(access(socket, F_OK) != 0)
  }

  @Test("the socket is private; a dead server's is replaced, a living one's is not")
  func sockets() throws {
    let (server, _) = try serve()
    var status = stat()
    #expect(lstat(socket, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    let refused = try program.attempt(["serve", "--qmp", "unix:\(socket)"])
    #expect(refused.status == 6)
    #expect(refused.standardError.contains(socket))
    server.process.kill()
    _ = server.process.wait()
    #expect(access(socket, F_OK) == 0)
    let (next, client) = try serve()
    #expect(try client.execute("query-jobs").array?.count == 0)
    #expect(next.terminate() == 0)
  }

  @Test("a job of another process appears with its events")
  func others() throws {
    let (server, _) = try serve()
    let witness = try BareClient(socket)
    witness.send("{'execute': 'qmp_capabilities'}")
    #expect(witness.lines { $0 == #"{"return": {}}"# }.count == 2)
    try program.run("save", "--tag", "t", "--job-id", "theirs")
    let events = witness.lines { $0.contains(#""concluded""#) }
    #expect(events.count == 5)
    #expect(events.allSatisfy { $0.contains(#""id": "theirs""#) })
    #expect(server.terminate() == 0)
  }

  @Test("a socket that is handed over is taken, and the service manager is told of readiness")
  func socketActivation() throws {
    let result = try program.shell(
      """
      python3 - "$1" <<'END'
      import os, signal, socket, sys

      path = sys.argv[1]
      listener = socket.socket(socket.AF_UNIX)
      listener.bind(path)
      listener.listen()
      notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
      notify.bind(path + ".notify")
      notify.settimeout(60)
      child = os.fork()
      if child == 0:
          os.dup2(listener.fileno(), 3)
          os.set_inheritable(3, True)
          os.environ.update(
              LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", NOTIFY_SOCKET=path + ".notify")
          os.execvp("snapjob", ["snapjob", "serve"])
      listener.close()
      print(notify.recv(100).decode())
      client = socket.socket(socket.AF_UNIX)
      client.settimeout(60)
      client.connect(path)
      print(client.recv(8).decode())
      os.kill(child, signal.SIGTERM)
      print(os.waitpid(child, 0)[1], os.path.exists(path))
      END
      """, socket)
    // The socket's name is whoever's who has made it.
    #expect(result.text == "READY=1\n{\"QMP\": \n0 True\n", "\(result.failure())")
  }

  @Test("a job file runs through a server, but not one for another machine")
  func jobFile() throws {
    let (server, _) = try serve()
    func run(_ text: String) throws -> CommandResult {
      try Command.run(
        "sh", ["-c", "cat > \"$1\"", "sh", program.path("jobs.yaml")], input: Array(text.utf8))
      return try program.attempt(["--connect", "unix:\(socket)", "run", "jobs.yaml"])
    }
    let other = try run(
      "machine: web01\ndisks: {root: disk0.qcow2}\njobs: [{snapshot-save: {tag: t}}]")
    #expect(other.status == 64)
    #expect(other.standardError.hasPrefix("snapjob: jobs.yaml:1: this is for machine 'web01'"))
    #expect(try program.tags() == [[], []])
    let own = try run("jobs: [{snapshot-save: {tag: t}}]")
    #expect(own.status == 0, "\(own.failure())")
    #expect(try program.tags() == [["t"], ["t"]])
    #expect(server.terminate() == 0)
  }
}
