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

  @Test("who asks a worker that is stopped is told at once, and what was given up has no effect")
  func stoppedWorker() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "one", "--no-auto-finalize", "--job-id", "j1")
    let job = try JSONValue(parsing: program.run("job", "show", "j1", "--json").text)
    let pid = pid_t(try #require(job["worker"]?["pid"]?.int))
    #expect(kill(pid, SIGSTOP) == 0)
    defer { kill(pid, SIGCONT) }
    for verb in ["finalize", "cancel", "pause"] {
      let asked = try program.attempt(["job", verb, "j1", "--timeout", "1.5"])
      #expect(asked.status == 7, "\(asked.failure())")
      #expect(asked.standardError.hasPrefix("snapjob: waiting for the process of job j1"))
      #expect(asked.standardError.contains("kill -CONT \(pid)"))
    }
    let interrupted = try program.shell(
      """
      snapjob job finalize j1 --timeout 100 2> said & p=$!
      until grep -q waiting said; do sleep 0.05; done
      kill -TERM $p; wait $p; echo $?; cat said >&2
      """)
    #expect(interrupted.text == "143\n")
    #expect(interrupted.standardError.contains("snapjob: interrupted: "))
    #expect(interrupted.standardError.contains("is withdrawn"))
    #expect(kill(pid, SIGCONT) == 0)
    // What was asked meanwhile would be done by now, had it not been withdrawn.
    #expect(try program.attempt(["job", "wait", "j1", "--timeout", "1"]).status == 7)
    #expect(try program.jobStatuses() == ["pending"])
    try program.run("job", "finalize", "j1")
    try program.run("job", "wait", "j1")
    #expect(try program.tags() == [["one"], ["one"]])
  }
}
