import DeviceState
import Jobs
import SnapshotJobs
import TestOracles
import Testing

@Suite struct StateReferenceTests {
  private let directory: TemporaryDirectory
  private let machine: Machine
  private let disks: [QemuVM.Disk]

  init() throws {
    directory = try TemporaryDirectory()
    let path = directory.path("disk0.qcow2")
    try QemuImg.create(path, size: "4M")
    machine = Machine(name: nil, nodes: [Node(name: try NodeName("disk0"), path: path)])
    disks = [QemuVM.Disk("disk0", path)]
  }

  private func save(_ tag: String, _ vm: QemuVM) throws {
    try vm.runSnapshotJob("snapshot-save", tag: tag, vmstate: "disk0", devices: ["disk0"])
  }

  @Test func `the states of a running machine's snapshots are read, compared and verified`() throws
  {
    let vm = try QemuVM(disks, isRunning: true)
    try save("first", vm)
    try save("second", vm)
    // The machine holds the image.
    let state = try machine.inspect(.tag("first"), fieldsOf: "timer")
    #expect(state.summary.machineType?.hasPrefix("pc-i440fx-") == true)
    #expect(
      state.summary.ram?.blocks.contains(RAMBlock(name: "pc.ram", usedByteCount: 32 << 20)) == true)
    #expect(state.fields.first?.fields.map(\.path).contains("cpu_clock_offset") == true)
    let listed = try machine.snapshots(on: nil, withSpace: false)
    #expect(listed.first?.devices.first?.vmStateSize == state.summary.byteCount)

    let difference = try machine.compare(.tag("first"), .tag("second"))
    #expect(difference.added.isEmpty && difference.removed.isEmpty)
    let timer = try #require(difference.changed.first { $0.name.name == "timer" })
    #expect(timer.fields?.contains { $0.path == "cpu_clock_offset" } == true)
    #expect(try machine.compare(.tag("first"), .tag("first")).isEmpty)
    try vm.quit()
  }

  @Test func `a state is in a file as well as in a snapshot`() throws {
    let vm = try QemuVM(disks)
    try save("first", vm)
    let file = directory.path("stream")
    try vm.execute("migrate", "{\"uri\": \(JSONValue.quoted("exec:cat > \(file)"))}")
    while try vm.execute("query-migrate")["status"]?.string != "completed" {}
    try vm.quit()
    let difference = try machine.compare(.tag("first"), .file(file))
    #expect(difference.added.isEmpty && difference.removed.isEmpty)
    #expect(difference.equalCount > 20)
  }

  @Test func `what is not there is not found, and said`() throws {
    try QemuImg.createSnapshot("disk-only", in: disks[0].path)
    let cases: [(StateReference, String?, String)] = [
      (
        .tag("none"), nil,
        "Snapshot 'none' does not exist on any node. See: "
          + "`snapjob list --file \(disks.map(\.path).joined(separator: " "))`"
      ),
      (
        .tag("disk-only"), nil,
        "The snapshot 'disk-only' is of the disks only; it has no device state"
      ),
    ]
    for (reference, fields, message) in cases {
      let error = #expect(throws: JobError.self) {
        try machine.inspect(reference, fieldsOf: fields)
      }
      #expect(error == JobError(.notFound, message))
    }
    let missing = #expect(throws: JobError.self) {
      try machine.inspect(.file(directory.path("none")))
    }
    #expect(missing?.kind == .notFound)
    let image = #expect(throws: JobError.self) { try machine.inspect(.file(disks[0].path)) }
    #expect(image?.kind == .refused)
    #expect(image?.message.contains("Not a migration stream, magic: 514649fb != 5145564d") == true)
  }
}
