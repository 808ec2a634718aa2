import Glibc
import TestOracles
import Testing

/// A monitor serves one client at a time; processes of one catalog take turns, or share a server's.
@Suite("Sharing a monitor") struct MonitorSharingTests {
  private let bench: LiveBench
  private var program: Program { bench.program }

  init() throws { bench = try LiveBench() }

  @Test("commands of many processes at once all reach the machine") func turns() throws {
    let vm = try bench.start()
    try bench.register()
    let result = try program.shell(
      """
      for number in 1 2 3 4 5 6 7 8; do
        snapjob -m vm1 --wait-lock 60 qmp query-status &
      done
      wait
      """)
    let replies = result.text.split(separator: "\n")
    #expect(replies.count == 8, "\(result.failure())")
    #expect(replies.allSatisfy { $0.contains("\"running\": true") }, "\(result.text)")
    try vm.quit()
  }

  @Test("a command waits for a monitor that a job of another process has") func busy() throws {
    let vm = try bench.start(try bench.memory(mebibytes: 128))
    try bench.register()
    let save = try program.start("-m", "vm1", "save", "--tag", "t")
    try vm.qmp.waitForEvent("STOP")
    let status = try bench.run("--wait-lock", "100", "qmp", "query-status")
    #expect(status.text.contains("running"))
    #expect(save.wait() == 0)
    #expect(try bench.liveTags() == [["t"], ["t"]])
    try vm.quit()
    try bench.expectClean()
  }

  private func serve() throws -> (Server, BareClient) {
    let server = try Server(
      program, ["-m", "vm1", "serve", "--qmp", "unix:\(program.path("qmp.sock"))"])
    _ = try QMPSocket(path: program.path("qmp.sock"), of: server.process)
    let client = try BareClient(program.path("qmp.sock"))
    client.send("{'execute': 'qmp_capabilities'}")
    #expect(client.lines { $0 == #"{"return": {}}"# }.count == 2)
    return (server, client)
  }

  /// Waits until the server has the machine's monitor: whatever the machine tells of then is passed on.
  private func waitForSharing() throws {
    while try !Command.run("ls", [program.path("catalog/catalog.sqlite.workers")]).text
      .contains(".sock\n")
    {
      usleep(20_000)
    }
  }

  @Test("a server keeps the monitor, lets others in, and tells of what the machine tells of")
  func server() throws {
    let vm = try bench.start()
    try bench.register()
    let (server, witness) = try serve()
    try waitForSharing()
    try bench.run("qmp", "stop")
    #expect(witness.lines { $0.contains(#""event": "STOP""#) }.isEmpty == false)
    try bench.run("qmp", "cont")
    #expect(witness.lines { $0.contains(#""event": "RESUME""#) }.isEmpty == false)
    try bench.run("save", "--tag", "live", "--job-id", "s1")
    let events = witness.lines { $0.contains(#""concluded""#) }
    #expect(events.count { $0.contains(#""STOP""#) || $0.contains(#""RESUME""#) } == 2)
    // QEMU's own job is not told of beside the one that it is done for.
    #expect(events.allSatisfy { !$0.contains("JOB_STATUS_CHANGE") || $0.contains(#""id": "s1""#) })
    #expect(try program.run("job", "show", "s1").text.contains("standstill"))

    try vm.quit()
    #expect(witness.lines { $0.contains("SHUTDOWN") }.last?.contains("host-qmp-quit") == true)
    try bench.run("save", "--tag", "off")
    #expect(try bench.tags() == [["live", "off"], ["live", "off"]])
    #expect(witness.lines { $0.contains(#""concluded""#) }.isEmpty == false)

    let next = try bench.start()
    // The server looks for the machine once a second.
    var isHeard = false
    while !isHeard {
      try next.execute("stop")
      try next.execute("cont")
      witness.send("{'execute': 'query-version', 'id': 1}")
      isHeard = witness.lines { $0.contains(#""id": 1"#) }.contains { $0.contains("RESUME") }
      usleep(100_000)
    }
    try bench.run("load", "--tag", "live", "--yes")
    #expect(server.terminate() == 0)
    #expect(try bench.run("qmp", "query-status").text.contains("running"))
    try next.quit()
    try bench.expectClean()
  }

  @Test("a save goes on when the server is killed whose connection it used")
  func killedServer() throws {
    let vm = try bench.start(try bench.memory(mebibytes: 128))
    try bench.register()
    let (server, _) = try serve()
    try waitForSharing()
    let save = try program.start("-m", "vm1", "save", "--tag", "t", "--job-id", "s1")
    try vm.qmp.waitForEvent("STOP")
    server.process.kill()
    #expect(save.wait() == 0)
    #expect(try bench.liveTags() == [["t"], ["t"]])
    #expect(try vm.execute("query-jobs").array?.isEmpty == true)
    #expect(try bench.status(vm) == "running")
    try vm.quit()
    try bench.expectClean()
  }

  @Test("a save whose own process is killed is brought to its end by the machine, and adopted")
  func killedWorker() throws {
    let vm = try bench.start()
    try bench.register()
    let save = try program.start("-m", "vm1", "save", "--tag", "t", "--job-id", "s1")
    while try !bench.hasJob("t") { usleep(1_000) }
    save.kill()
    _ = save.wait()
    // QEMU's monitor is free again once it has noticed that the client is gone.
    let log = try program.attempt(["job", "wait", "s1", "--timeout", "60"])
    #expect([0, 1].contains(log.status), "\(log.standardError)")
    #expect(try bench.liveTags() == (log.status == 0 ? [["t"], ["t"]] : [[], []]))
    #expect(try vm.execute("query-jobs").array?.isEmpty == true)
    try bench.run("save", "--tag", "after")
    try vm.quit()
    try bench.expectClean()
  }
}
