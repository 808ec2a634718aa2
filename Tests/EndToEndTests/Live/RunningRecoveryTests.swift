import TestOracles
import Testing

/// Commits that were interrupted, and whose machine is started before anybody has finished them.
@Suite("Recovery on a running machine") struct RunningRecoveryTests {
  private let bench: LiveBench

  init() throws {
    bench = try LiveBench()
    // Registered while it runs, as users do.
    let vm = try bench.start()
    try bench.register()
    try vm.quit()
    try bench.run("save", "--tag", "old")
  }

  private func interrupt(_ arguments: [String], at stop: String) throws {
    let result = try bench.program.attempt(["-m", "vm1"] + arguments, stopAt: stop)
    #expect(result.status == 137, "\(result.failure())")
  }

  private func job() throws -> JSONValue {
    try JSONValue(parsing: bench.program.run("job", "show", "j", "--json").text)
  }

  @Test(
    "no machine starts before an interrupted commit is finished on all of its disks",
    arguments: ["after-fence", "before-record", "after-record", "before-publish"])
  func refused(stop: String) throws {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: stop)
    let error = #expect(throws: OracleError.self) { _ = try bench.start() }
    #expect("\(String(describing: error))".contains("snapjob commit pending: run snapjob recover"))
    try bench.program.run("recover")
    let isDone = stop != "after-fence" && stop != "before-record"
    #expect(try job()["exit-code"]?.int == (isDone ? 0 : 1))
    let vm = try bench.start()
    let tags = isDone ? ["old", "new"] : ["old"]
    #expect(try bench.liveTags() == [tags, tags])
    try vm.quit()
    try bench.expectClean()
  }

  @Test("a commit that all disks have is concluded while its machine runs") func published() throws
  {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: "before-settle")
    let vm = try bench.start()
    try bench.run("list")
    let shown = try job()
    #expect(shown["status"]?.string == "concluded")
    #expect(shown["exit-code"]?.int == 0)
    #expect(try bench.liveTags() == [["old", "new"], ["old", "new"]])
    try vm.quit()
    try bench.program.run("recover")
    try bench.run("save", "--tag", "more")
    try bench.expectClean()
  }

  @Test("a machine with the one disk that is published does not hold up the others")
  func otherDisks() throws {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: "after-publish")
    // The disks are published side by side: any of them may be the first.
    let published = try #require(
      ["disk0.qcow2", "disk1.qcow2"].map(bench.program.path).first { try QemuImg.check($0).isClean }
    )
    let vm = try QemuVM(
      [.init("root", published)], isRunning: true,
      arguments: ["-qmp", "unix:\(bench.monitor),server=on,wait=off"])
    try bench.program.run("recover")
    #expect(try job()["exit-code"]?.int == 0)
    try vm.quit()
    let tags = try bench.tags()
    #expect(tags == [["old", "new"], ["old", "new"]])
    try bench.expectClean()
  }
}
