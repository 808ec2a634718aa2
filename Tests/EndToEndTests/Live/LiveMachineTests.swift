import Glibc
import TestOracles
import Testing

/// One verb, whether the machine runs or not.
@Suite("Live machines") struct LiveMachineTests {
  private let bench: LiveBench
  private var program: Program { bench.program }

  init() throws { bench = try LiveBench() }

  @Test("save, change, load and delete work while the machine runs, and while it is off")
  func story() throws {
    let vm = try bench.start()
    try bench.register()
    let shown = try program.run("machine", "show", "vm1").text
    #expect(shown.contains("root") && shown.contains("data") && shown.contains("monitor: unix:"))

    try bench.run("save", "--tag", "live", "--job-id", "s1")
    #expect(try program.run("job", "show", "s1").text.contains("standstill"))
    #expect(try bench.run("list").text.contains("live"))
    try bench.write(vm, 7)
    #expect(try bench.begins(vm, with: 7) && !bench.begins(vm, with: 1))
    let plan = try bench.run("load", "--tag", "live", "--dry-run").text
    #expect(plan.contains("goes back to 'live'"))
    try bench.run("load", "--tag", "live", "--yes")
    #expect(try bench.begins(vm, with: 1))
    #expect(try bench.status(vm) == "running")
    try bench.run("save", "--tag", "disks", "--disk-only")
    try bench.run("delete", "--tag", "live", "--yes")
    #expect(try bench.liveTags() == [["disks"], ["disks"]])
    #expect(try vm.execute("query-jobs").array?.isEmpty == true)
    try vm.quit()

    try bench.run("save", "--tag", "off")
    try QemuIO.write(9, at: 0, length: 1 << 16, in: program.path("disk0.qcow2"))
    try bench.run("load", "--tag", "off", "--yes")
    try QemuIO.run(["read -P 1 0 65536"], on: program.path("disk0.qcow2"))
    try bench.run("delete", "--tag", "off", "--yes")
    let jobs = try JSONValue(parsing: program.run("-m", "vm1", "query-jobs", "--json").text)
    #expect(jobs.array?.count == 7)
    #expect(jobs.array?.allSatisfy { $0["status"]?.string == "concluded" } == true)
    try bench.expectClean()
  }

  @Test("a writable raw disk stops a save by name until it is excluded")
  func raw() throws {
    try Command.run("truncate", ["-s", "1M", program.path("swap.raw")])
    let vm = try bench.start([
      "-drive", "file=\(program.path("swap.raw")),format=raw,if=none,id=swap", "-device",
      "virtio-blk-pci,drive=swap",
    ])
    try bench.register()
    let refused = try bench.attempt("save", "--tag", "t")
    #expect(refused.status == 9)
    #expect(refused.standardError.contains("swap (\(program.path("swap.raw")), raw)"))
    #expect(try bench.liveTags() == [[], []])
    try program.run("machine", "set", "vm1", "--exclude", "swap")
    try bench.run("save", "--tag", "t")
    #expect(try bench.liveTags() == [["t"], ["t"]])
    try vm.quit()
    try bench.expectClean()
  }

  @Test("what QEMU would stop the machine for is refused before it is asked")
  func refusals() throws {
    let vm = try bench.start()
    try bench.register()
    try bench.run("save", "--tag", "disks", "--disk-only")
    for (arguments, status) in [
      (["load", "--tag", "nope", "--yes"], 4), (["load", "--tag", "disks", "--yes"], 9),
      (["save", "--tag", "disks"], 5), (["save", "--tag", "1"], 5),
      (["delete", "--tag", "nope", "--yes"], 4),
    ] as [([String], Int32)] {
      let result = try program.attempt(["-m", "vm1"] + arguments)
      #expect(result.status == status, "\(arguments): \(result.standardError)")
    }
    try vm.execute("block-dirty-bitmap-add", #"{"node": "data", "name": "b0"}"#)
    try bench.run("save", "--tag", "t")
    let bitmap = try bench.attempt("load", "--tag", "t", "--yes")
    #expect(bitmap.status == 5 && bitmap.standardError.contains("b0"))
    #expect(try bench.status(vm) == "running")
    #expect(try bench.liveTags() == [["disks", "t"], ["disks", "t"]])
    try vm.quit()
    try bench.expectClean()
  }

  @Test("QEMU's other commands reach the running machine") func passedOn() throws {
    let vm = try bench.start()
    try bench.register()
    #expect(try bench.run("qmp", "query-status").text.contains("running"))
    #expect(try bench.run("qmp", "query-memory-size-summary").text.contains("base"))
    try bench.run("qmp", "stop")
    #expect(try bench.status(vm) == "paused")
    #expect(try bench.attempt("qmp", "nope").status != 0)
    try vm.quit()
    #expect(try bench.attempt("qmp", "query-memory-size-summary").status == 64)
  }

  @Test("images that a machine holds whose monitor is gone are in use, with their holder")
  func deadSocket() throws {
    let vm = try bench.start()
    try bench.register()
    try program.removeFile("vm1.qmp")
    let result = try bench.attempt("save", "--tag", "t")
    #expect(result.status == 6)
    #expect(result.standardError.contains("qemu-system-x86_64"))
    try vm.quit()
    try bench.expectClean()
  }

  @Test("a monitor that somebody else has is no connection, and nothing is done")
  func busyMonitor() throws {
    let vm = try bench.start()
    try bench.register()
    let other = try program.startClient(of: bench.monitor)
    defer { other.kill() }
    let result = try bench.attempt("save", "--tag", "t")
    #expect(result.status == 8)
    #expect(
      result.standardError.contains("another client has this monitor: socat (pid \(other.pid))"))
    try vm.quit()
    try bench.expectClean()
  }
}
