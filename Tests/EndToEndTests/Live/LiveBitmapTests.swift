import TestOracles
import Testing

/// Dirty bitmaps of a machine, whether it runs or not.
@Suite("Bitmaps of live machines") struct LiveBitmapTests {
  private let bench: LiveBench
  private var program: Program { bench.program }

  init() throws { bench = try LiveBench() }

  private func list() throws -> [JSONValue] {
    try JSONValue(parsing: bench.run("bitmap", "list", "--json").text).array ?? []
  }

  @Test("while it runs QEMU changes them, by whatever name it has for the disk; then snapjob does")
  func story() throws {
    let vm = try bench.start()
    try bench.register()
    try bench.run("machine", "set", "vm1", "--rename", "root=system")
    try bench.run("bitmap", "add", "system", "daily")
    try bench.run("bitmap", "add", "data", "daily", "--granularity", "4k", "--disabled")
    try bench.write(vm, 7)
    #expect(try list().map { $0["node"]?.string } == ["system", "data"])
    #expect(try list().map { $0["dirty-bytes"]?.int } == [65536, 0])
    #expect(try list().map { $0["enabled"]?.bool } == [true, false])
    try bench.run("bitmap", "merge", "data", "daily", "system/daily")
    #expect(try list().map { $0["dirty-bytes"]?.int } == [65536, 65536])
    try bench.run("bitmap", "clear", "system", "daily")
    try bench.run("bitmap", "enable", "data", "daily")
    try bench.write(vm, 8)
    let digest = try bench.run(
      "qmp", "x-debug-block-dirty-bitmap-sha256", #"{"node": "system", "name": "daily"}"#
    ).text
    let theirs = try vm.execute(
      "x-debug-block-dirty-bitmap-sha256", #"{"node": "root", "name": "daily"}"#)
    #expect(try JSONValue(parsing: digest)["return"] == theirs)
    try bench.run(
      "qmp", "transaction",
      """
      {"actions": [{"type": "block-dirty-bitmap-clear", "data": {"node": "data", "name": "daily"}},
       {"type": "block-dirty-bitmap-add",
        "data": {"node": "system", "name": "second", "persistent": true}}]}
      """)
    #expect(try list().map { $0["dirty-bytes"]?.int } == [65536, 0, 0])

    for (verb, name, status) in [
      ("add", "daily", 5), ("add", "", 64), ("remove", "none", 4), ("clear", "none", 4),
    ] {
      let refusal = try bench.attempt("bitmap", verb, "system", name)
      #expect(refusal.status == Int32(status), "\(refusal.failure())")
    }
    let coarse = try bench.attempt("bitmap", "add", "system", "x", "--granularity", "3k")
    #expect(coarse.status == 64, "\(coarse.failure())")
    let harm = try bench.attempt(
      "qmp", "block-dirty-bitmap-merge",
      #"{"node": "data", "target": "daily", "bitmaps": []}"#)
    #expect(harm.status == 9 && harm.text.contains("ends QEMU"), "\(harm.failure())")
    #expect(try bench.status(vm) == "running")
    let point = try bench.attempt("save", "--tag", "point", "--clear-bitmap", "daily")
    #expect(point.status == 9, "\(point.failure())")
    #expect(point.standardError.contains("dirty bitmaps in one step"))
    let load = try bench.attempt("bitmap", "show", "system", "daily")
    #expect(load.status == 6, "\(load.failure())")
    try vm.quit()

    // QEMU keeps them in an order of its own.
    #expect(
      try list().map { "\($0["node"]?.string ?? "") \($0["dirty-bytes"]?.int ?? -1)" }.sorted()
        == ["data 0", "system 0", "system 65536"])
    try bench.run("bitmap", "show", "system", "daily")
    try bench.run("bitmap", "remove", "system", "second")
    try bench.run("save", "--tag", "point", "--clear-bitmap", "daily")
    #expect(try list().map { $0["dirty-bytes"]?.int } == [0, 0])
    try bench.expectClean()
  }

  @Test("a machine without a monitor has its bitmaps in use, which is told with its process")
  func held() throws {
    for disk in program.disks { try QemuBitmaps.add("daily", to: program.path(disk)) }
    try program.run("node", "add", "root", "disk0.qcow2")
    try program.run("node", "add", "data", "disk1.qcow2")
    let vm = try bench.start()
    let listed = try program.run("bitmap", "list").text
    #expect(listed.contains("in use by qemu-system-x86_64 (pid \(vm.process.pid)"), "\(listed)")
    let nodes = try JSONValue(parsing: program.run("qmp", "query-named-block-nodes").text)
    #expect(
      nodes["return"]?[0]?["dirty-bitmaps"]?[0]?["busy"] == .bool(true), "\(nodes)")
    for verb in ["clear", "repair", "remove"] {
      let result = try program.attempt(["bitmap", verb, "root", "daily"])
      #expect(result.status == 6, "\(result.failure())")
      #expect(result.standardError.contains("pid \(vm.process.pid)"))
    }
    #expect(try program.attempt(["bitmap", "show", "root", "daily"]).status == 6)
    vm.kill()

    #expect(try program.run("bitmap", "list").text.contains("inconsistent"))
    let refusal = try program.attempt(["bitmap", "show", "root", "daily"])
    #expect(refusal.status == 5, "\(refusal.failure())")
    #expect(refusal.standardError.contains("snapjob bitmap repair root daily"))
    let clear = try program.attempt(["bitmap", "clear", "root", "daily"])
    #expect(clear.status == 5 && clear.standardError.contains("snapjob bitmap repair root daily"))
    try program.run("bitmap", "repair", "root", "daily")
    try program.run("bitmap", "remove", "data", "daily")
    let ranges = try program.run("bitmap", "show", "root", "daily", "--json").text
    #expect(ranges == "[{\"node\": \"root\", \"offset\": 0, \"length\": 33554432}]\n")
    #expect(try QemuBitmaps.list(program.path("disk0.qcow2"))["daily"]?["count"]?.int == 33_554_432)
    try bench.expectClean()
  }
}
