import TestOracles
import Testing

/// Commits that were interrupted, and whose machine was started before anybody settled them: it holds the disks,
/// and is asked to settle them itself.
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

  private func expectSettled(_ tags: [String], job: Int64?) throws {
    let shown = try JSONValue(parsing: bench.program.run("job", "show", "j", "--json").text)
    #expect(shown["status"]?.string == "concluded")
    #expect(shown["exit-code"]?.int == job)
    #expect(try bench.liveTags() == [tags, tags])
  }

  @Test(
    "a save of which only some disks had the snapshot is taken back by the machine",
    arguments: ["after-record", "after-publish"])
  func partialSave(stop: String) throws {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: stop)
    let vm = try bench.start()
    let forecast = try bench.program.run("recover", "--dry-run").text
    #expect(forecast.contains("removed snapshot 'new'"), "\(forecast)")
    try bench.run("list")
    try expectSettled(["old"], job: 1)
    try bench.run("save", "--tag", "new", "--disk-only")
    #expect(try bench.liveTags() == [["old", "new"], ["old", "new"]])
    try vm.quit()
    try bench.expectClean()
  }

  @Test("a save that all disks had is concluded as done") func wholeSave() throws {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: "before-done")
    let vm = try bench.start()
    try bench.run("list")
    try expectSettled(["old", "new"], job: 0)
    try vm.quit()
    try bench.expectClean()
  }

  @Test(
    "a delete that some disks lacked is completed by the machine",
    arguments: ["after-record", "after-publish"])
  func partialDelete(stop: String) throws {
    try interrupt(["delete", "--tag", "old", "--yes", "--job-id", "j"], at: stop)
    let vm = try bench.start()
    try bench.run("list")
    try expectSettled([], job: 0)
    try vm.quit()
    try bench.expectClean()
    try bench.run("save", "--tag", "old")
    try bench.expectClean()
  }

  @Test("a machine with another set of disks is not asked, and the commit waits") func otherDisks()
    throws
  {
    try interrupt(["save", "--tag", "new", "--job-id", "j"], at: "after-publish")
    let vm = try QemuVM(
      [.init("root", bench.program.path("disk0.qcow2"))], isRunning: true,
      arguments: ["-qmp", "unix:\(bench.monitor),server=on,wait=off"])
    let refused = try bench.attempt("save", "--tag", "more")
    #expect(refused.status != 0)
    let shown = try JSONValue(parsing: bench.program.run("job", "show", "j", "--json").text)
    #expect(shown["status"]?.string == "pending")
    try vm.quit()
    try bench.run("list")
    let tags = try bench.tags()
    #expect(tags[0] == tags[1])
    try bench.expectClean()
  }
}
