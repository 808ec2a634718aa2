import TestOracles
import Testing

@testable import Qcow2

@Suite struct LoadedStateTests {
  private let date = ImageDraft.SnapshotDate(seconds: 1_700_000_000, nanoseconds: 5)

  @Test(
    "What QEMU saved is read as it is, shared and copied, and QEMU goes on from there",
    arguments: [["compat=1.1"], ["compat=0.10", "cluster_size=4096"]])
  func machineState(options: [String]) throws {
    let image = try TestImage(size: "8M", options, ["write -P 1 0 1M"])
    let machine = try QemuVM([.init("disk0", image.path)], isRunning: true)
    try machine.runSnapshotJob("snapshot-save", tag: "live", vmstate: "disk0", devices: ["disk0"])
    try machine.quit()
    try image.expectClean()

    let state = try image.vmState("live")
    #expect(state.starts(with: Array("QEVM".utf8)))
    // Behind everything comes the description of the devices, to the last byte.
    #expect(state.last == UInt8(ascii: "}"))
    #expect(try image.vmStateByQemu("live") == state)

    // Shared: the first snapshot goes.
    try image.commit { draft in
      try draft.takeSnapshot(tag: "shared", date: date, vmState: try draft.vmState(ofSnapshot: 0))
    }
    try image.delete("live")
    try expectLoads("shared", from: image)

    // Copied from one snapshot into another of the same image.
    try image.commit { draft in
      let source = try VMStateReader(draft.image, snapshot: 0)
      try draft.takeSnapshot(tag: "copied", date: date, vmState: .copied(from: source))
    }
    try image.delete("shared")
    #expect(try image.vmState("copied") == state)
    try expectLoads("copied", from: image)
  }

  private func expectLoads(_ tag: String, from image: TestImage) throws {
    let machine = try QemuVM([.init("disk0", image.path)], arguments: ["-loadvm", tag])
    #expect(try machine.execute("query-status")["status"]?.string != nil)
    try machine.execute("cont")
    #expect(try machine.execute("query-status")["running"]?.bool == true)
    try machine.quit()
    try image.expectClean()
  }
}
