import TestOracles
import Testing

@Suite struct DeviceInspectionTests {
  private let program: Program

  init() throws { program = try Program() }

  private func json(_ arguments: String...) throws -> JSONValue {
    let result = try program.attempt(arguments + ["--json"])
    guard result.status == 0 else { throw result.failure() }
    return try JSONValue(parsing: result.text)
  }

  @Test func `the states of a running machine's snapshots are looked into without it`() throws {
    try program.makeDisks()
    let vm = try QemuVM([QemuVM.Disk("disk0", program.path("disk0.qcow2"))], isRunning: true)
    for tag in ["first", "second"] {
      try vm.runSnapshotJob("snapshot-save", tag: tag, vmstate: "disk0", devices: ["disk0"])
    }
    let state = try json("devices", "inspect", "--tag", "first")
    let sizes = try #require(state["parts"]?.array).compactMap { $0["size"]?.int }
    let length = try #require(state["length"]?.int)
    #expect(sizes.reduce(0, +) == length)
    let listed = try #require(try json("list").array?.first { $0["tag"]?.string == "first" })
    let devices = listed["devices"]?.array ?? []
    #expect(devices.contains { $0["vm-state-size"]?.int == length })
    #expect(state["machine-type"]?.string?.hasPrefix("pc-i440fx-") == true)

    let fields = try program.run("devices", "inspect", "--tag", "first", "--fields", "cpu").text
    #expect(fields.contains("env.segs[1].selector"))
    let difference = try program.run("devices", "diff", "tag:first", "tag:second").text
    #expect(difference.contains("changed  timer: "))
    #expect(difference.contains("  cpu_clock_offset: "))
    #expect(difference.contains(" 0 added, 0 removed, "))
    try vm.quit()
    try program.run("verify", "disk0", "--tag", "first")
  }

  @Test func `a file that is cut off is refused with the place`() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
    let golden = root.joined(separator: "/") + "/testdata/devices-q35.qevm"
    let whole = try program.shell("cp \"$1\" whole && head -c -1 whole > cut", golden)
    #expect(whole.status == 0)
    let table = try program.run("state", "inspect", "whole").text
    #expect(table.contains("length        32489 bytes"))
    let refused = try program.attempt(["devices", "inspect", "cut"])
    #expect(refused.status == 9)
    #expect(
      refused.standardError.contains("cut: offset 0x7ee8: the stream ends here; it is cut off"))
    #expect(try program.attempt(["devices", "inspect", "nowhere"]).status == 4)
    #expect(try program.attempt(["devices", "diff", "whole", "tag:none"]).status == 4)
  }
}
