import Glibc
import TestOracles
import Testing

/// Signals, sent to the real process.
@Suite("Signals") struct SignalTests {
  @Test(
    "a signal to the worker of a pending job cancels the job",
    arguments: [SIGTERM, SIGINT, SIGHUP])
  func worker(signal: Int32) throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "one", "--no-auto-finalize", "--job-id", "j1")
    let job = try JSONValue(parsing: program.run("job", "show", "j1", "--json").text)
    let pid = try #require(job["worker"]?["pid"]?.int)
    #expect(kill(pid_t(pid), signal) == 0)
    let end = try program.attempt(["job", "wait", "j1"])
    #expect(end.status == 10, "\(end.failure())")
    #expect(end.standardError.contains("Operation canceled"))
    #expect(try program.tags() == [[], []])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    try program.run("save", "--tag", "two")
  }
}
