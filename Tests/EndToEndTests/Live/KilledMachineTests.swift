import Glibc
import TestOracles
import Testing

/// Machines that die while QEMU changes their disks: what they leave is mended by the next command at the
/// latest.
@Suite("Killed machines") struct KilledMachineTests {
  /// What a save spends its time on.
  enum Burden: CaseIterable {
    /// The memory, written into the first disk.
    case memory
    /// The tables of the disks, one disk after the other.
    case tables

    func bench() throws -> LiveBench {
      switch self {
      case .memory: try LiveBench()
      case .tables:
        try LiveBench(size: "512M", options: ["cluster_size=4k", "preallocation=metadata"])
      }
    }

    func start(_ bench: LiveBench) throws -> QemuVM {
      try bench.start(self == .memory ? try bench.memory(mebibytes: 64) : [])
    }
  }

  /// Saves on each kind of machine that are cut off; the first one is not and shows how long one lasts.
  private static let rounds: UInt32 = 25

  @Test(
    "a machine that is killed in the middle of a save leaves no partial set and clean images",
    arguments: Burden.allCases)
  func save(burden: Burden) throws {
    let bench = try burden.bench()
    var span = try length(ofSaveOn: bench, burden)
    var cutCount = 0
    for round in 0..<Self.rounds {
      let vm = try burden.start(bench)
      let save = try bench.program.start("-m", "vm1", "save", "--tag", "t\(round)")
      try vm.qmp.waitForEvent("STOP")
      usleep(span * round / Self.rounds)
      vm.kill()
      let status = save.wait()
      #expect([0, 8].contains(status), "round \(round)")
      if status == 8 {
        cutCount += 1
      } else {
        // The computer was faster than in the beginning.
        span = span * round / Self.rounds
      }
      try bench.run("list")
      let tags = try bench.tags().map { $0.contains("t\(round)") }
      #expect(tags == [status == 0, status == 0], "round \(round)")
      try bench.expectClean()
    }
    #expect(cutCount >= Self.rounds / 2)
  }

  /// How long the guest stands still for a save, in microseconds.
  private func length(ofSaveOn bench: LiveBench, _ burden: Burden) throws -> UInt32 {
    let vm = try burden.start(bench)
    try bench.register()
    try bench.run("save", "--tag", "whole", "--job-id", "whole")
    try vm.quit()
    let job = try JSONValue(parsing: bench.program.run("job", "show", "whole", "--json").text)
    return UInt32(clamping: try #require(job["result"]?["pause-ns"]?.int) / 1000)
  }

  @Test("a delete that a machine could not finish is finished without it", arguments: [0, 5, 15])
  func delete(milliseconds: UInt32) throws {
    let bench = try Burden.tables.bench()
    let vm = try Burden.tables.start(bench)
    try bench.register()
    try bench.run("save", "--tag", "keep")
    try bench.run("save", "--tag", "t")
    let delete = try bench.program.start("-m", "vm1", "delete", "--tag", "t", "--yes")
    try vm.qmp.waitForEvent("JOB_STATUS_CHANGE")
    usleep(milliseconds * 1000)
    vm.kill()
    #expect([0, 8].contains(delete.wait()))
    #expect(try bench.tags() == [["keep"], ["keep"]])
    try bench.expectClean()
    try bench.run("load", "--tag", "keep", "--yes")
    try bench.expectClean()
  }

  @Test("a load that a machine could not finish is told as such, and leaves clean images")
  func load() throws {
    let bench = try LiveBench()
    let vm = try Burden.memory.start(bench)
    try bench.register()
    try bench.run("save", "--tag", "t")
    // Events so far are the save's.
    try vm.qmp.waitForEvent("RESUME")
    let load = try bench.program.start("-m", "vm1", "load", "--tag", "t", "--yes", "--job-id", "l1")
    try vm.qmp.waitForEvent("STOP")
    usleep(20_000)
    vm.kill()
    let status = load.wait()
    #expect([0, 8].contains(status))
    let told = try bench.program.run("job", "show", "l1").text
    if status == 8 { #expect(told.contains("load a snapshot"), "\(told)") }
    try bench.expectClean()
    try bench.run("load", "--tag", "t", "--yes")
    #expect(try bench.tags() == [["t"], ["t"]])
    try bench.expectClean()
  }

  @Test("with --no-heal the disks of a killed machine are left as they are") func noHeal() throws {
    let bench = try LiveBench()
    let vm = try Burden.memory.start(bench)
    try bench.register()
    let save = try bench.program.start(
      "-m", "vm1", "save", "--tag", "t", "--no-heal", "--job-id", "s1")
    try vm.qmp.waitForEvent("STOP")
    vm.kill()
    #expect(save.wait() == 8)
    let told = try bench.program.run("job", "show", "s1").text
    #expect(told.contains("left as they are (--no-heal)"))
    #expect(try bench.tags() == [[], []])
  }
}
