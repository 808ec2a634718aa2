import Qcow2
import TestOracles
import Testing

/// Virtual machines that go on with images that snapjob has changed.
@Suite("Running machines") struct RunningMachineTests {
  /// QEMU's system emulator takes no images with the old encryption, and keys would add nothing.
  static let formats = ImageFormat.Kind.allCases.filter { $0 != .luks && $0 != .aes }.map {
    ImageFormat(clusterSize: $0 == .extendedL2 ? 65536 : 4096, kind: $0)
  }

  @Test(
    "a machine saves, loads and deletes snapshots among snapjob's, and snapjob goes on with its own",
    arguments: formats)
  func machine(format: ImageFormat) throws {
    let program = try Program()
    let image = try FormattedImage(format, in: program.directory)
    let script = GuestScript(image)
    let hasBitmaps = format.kind == .bitmaps
    try script.first()
    let first = try image.content()
    try snapjob(program, ["save", "--tag", "a"], image)
    try script.second()
    let second = try image.content()
    try snapjob(program, ["save", "--tag", "b"], image)
    try snapjob(program, ["load", "--tag", "a", "--yes"], image)

    let machine = try QemuVM([QemuVM.Disk("disk0", image.path)], isRunning: true)
    try machine.runSnapshotJob("snapshot-save", tag: "vm", vmstate: "disk0", devices: ["disk0"])
    try machine.runSnapshotJob("snapshot-delete", tag: "a", vmstate: nil, devices: ["disk0"])
    if !hasBitmaps {
      try machine.runSnapshotJob("snapshot-load", tag: "vm", vmstate: "disk0", devices: ["disk0"])
    }
    try machine.quit()
    try expect(image, ["": first, "b": second, "vm": first], program)

    try snapjob(program, ["save", "--tag", "c"], image)
    try snapjob(program, ["delete", "--tag", "b", "--yes"], image)
    try snapjob(program, ["load", "--tag", "vm", "--yes"], image)
    try expect(image, ["": first, "c": first, "vm": first], program)

    let daemon = try QemuStorageDaemon([QemuVM.Disk("disk0", image.path)])
    try daemon.qmp.execute(
      "blockdev-snapshot-internal-sync", "{\"device\": \"disk0\", \"name\": \"d\"}")
    try daemon.qmp.execute(
      "blockdev-snapshot-delete-internal-sync", "{\"device\": \"disk0\", \"name\": \"vm\"}")
    try daemon.quit()
    try expect(image, ["": first, "c": first, "d": first], program)
  }

  private func snapjob(
    _ program: Program, _ arguments: [String], _ image: FormattedImage
  ) throws {
    let result = try program.attempt(arguments + ["--file", image.path])
    guard result.status == 0 else { throw result.failure() }
  }

  /// Fails the test unless both checks find nothing and each state is as it should be.
  private func expect(
    _ image: FormattedImage, _ states: [String: GuestContent], _ program: Program,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let check = try image.check()
    #expect(check.status == 0, "\(check.failure())", sourceLocation: sourceLocation)
    try program.run("check", image.path)
    #expect(
      try image.tags().sorted() == states.keys.filter { !$0.isEmpty }.sorted(),
      sourceLocation: sourceLocation)
    for (tag, content) in states {
      let isEqual = try image.content(of: tag.isEmpty ? nil : tag) == content
      #expect(isEqual, "the content of '\(tag)' is another", sourceLocation: sourceLocation)
    }
  }
}
