import DeviceState
import SystemPackage
import TestOracles
import Testing

@Suite struct QemuAgreementTests {
  private let directory: TemporaryDirectory
  private let disks: [QemuVM.Disk]

  init() throws {
    directory = try TemporaryDirectory()
    var disks: [QemuVM.Disk] = []
    for node in ["disk0", "disk1"] {
      let path = directory.path("\(node).qcow2")
      try QemuImg.create(path, size: "1M")
      disks.append(QemuVM.Disk(node, path))
    }
    self.disks = disks
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    try Command.run("cat", [directory.path(name)]).output
  }

  private func write(_ bytes: [UInt8], to name: String) throws {
    let file = try FileDescriptor.open(
      FilePath(directory.path(name)), .writeOnly, options: [.create, .truncate],
      permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll(bytes) }
  }

  private func xenSave(_ vm: QemuVM, to name: String) throws {
    let path = JSONValue.quoted(directory.path(name))
    try vm.execute("xen-save-devices-state", "{\"filename\": \(path), \"live\": false}")
  }

  @Test func `Devices extracted from a migration are the file that QEMU writes of them`() throws {
    let vm = try QemuVM(disks)
    try xenSave(vm, to: "devices")
    try vm.migrate(to: directory.path("stream"))
    try vm.quit()
    let theirs = try bytes("devices")
    let collected = CollectedBytes()
    try DeviceStateFile.extract(from: BytesSource(bytes("stream")), to: collected.output)
    let ours = collected.bytes
    let summary = try StreamSummary(reading: BytesSource(theirs))
    #expect(try StreamSummary(reading: BytesSource(ours)).devices == summary.devices)
    // QEMU tells in this file, and in no other, that the machine runs.
    let state = try #require(summary.devices.first { $0.name.name == "globalstate" })
    let differing = zip(ours, theirs).enumerated().filter { $0.element.0 != $0.element.1 }
    #expect(ours.count == theirs.count)
    #expect(differing.allSatisfy { state.payload.contains(UInt64($0.offset)) })
  }

  /// How a machine can write its stream.
  struct Style: Sendable, CustomTestStringConvertible {
    var arguments: [String] = []
    var capabilities: [String] = []
    var testDescription: String { (arguments + capabilities).joined(separator: " ") }

    static let noFooters = Style(arguments: ["-global", "migration.send-section-footer=off"])
    static let noDescription = Style(arguments: ["-machine", "pc,suppress-vmdesc=on"])
    static let neither = Style(arguments: noFooters.arguments + noDescription.arguments)
    static let noConfiguration = Style(
      arguments: ["-global", "migration.send-configuration=off"])
    static let compressed = Style(capabilities: ["compress"])
    static let bitmaps = Style(capabilities: ["dirty-bitmaps"])
  }

  /// Migrates a stopped machine, and gives the bytes of the stream.
  private func stream(_ style: Style) throws -> [UInt8] {
    let vm = try QemuVM(disks, arguments: style.arguments)
    let capabilities = style.capabilities.map { "{\"capability\": \"\($0)\", \"state\": true}" }
    try vm.execute(
      "migrate-set-capabilities",
      "{\"capabilities\": [\(capabilities.joined(separator: ", "))]}")
    try vm.migrate(to: directory.path("stream"))
    try vm.quit()
    return try bytes("stream")
  }

  @Test(arguments: [
    Style.noFooters, .noDescription, .noConfiguration, .compressed, .bitmaps,
  ])
  func `Every style of stream that QEMU writes is read, and written back byte for byte`(
    style: Style
  ) throws {
    let plain = try StreamSummary(reading: BytesSource(stream(Style())))
    let bytes = try stream(style)
    let summary = try StreamSummary(reading: BytesSource(bytes))
    #expect(summary.devices.map(\.header) == plain.devices.map(\.header))
    #expect(summary.devices.map(\.payload.count) == plain.devices.map(\.payload.count))
    #expect(summary.ram?.blocks == plain.ram?.blocks)
    #expect(summary.byteCount == UInt64(bytes.count))
    var reader = try StreamReader(BytesSource(bytes))
    #expect(try reader.copied() == bytes)
    if style.arguments == Style.noFooters.arguments { #expect(summary.hasFooters == false) }
    if style.arguments == Style.noDescription.arguments { #expect(summary.description == nil) }
    if !style.capabilities.isEmpty {
      let ram = try #require(summary.ram)
      #expect(ram.encodedPageCount > 0 || summary.commandByteCount > 0)
    }
  }

  @Test func `A stream that tells nothing of where states end is refused in these words`() throws {
    let bytes = try stream(.neither)
    let error = #expect(throws: StreamError.self) {
      try StreamSummary(reading: BytesSource(bytes))
    }
    #expect(error?.code == .unsupported)
    #expect(error?.message.hasPrefix("nothing tells where its state ends") == true)
  }

  @Test func `QEMU accepts a stream into which other devices' states were merged`() throws {
    let first = try QemuVM(disks)
    try first.migrate(to: directory.path("stream"))
    try first.quit()
    let second = try QemuVM(disks, isRunning: true)
    // Until its processor has left the place where it starts.
    while try second.monitor("info registers").contains("EIP=0000fff0") {}
    try second.execute("stop")
    try xenSave(second, to: "devices")
    let registers = try second.monitor("info registers")
    try second.quit()

    let (file, stream) = (try bytes("devices"), try bytes("stream"))
    let collected = CollectedBytes()
    let merged = try DeviceStateFile.merge(
      BytesSource(file), into: BytesSource(stream), to: collected.output)
    #expect(merged.keepsDescription)
    let comparison = try StreamComparison(
      from: StreamContents(reading: BytesSource(stream)),
      to: StreamContents(reading: BytesSource(collected.bytes)))
    #expect(comparison.changed.contains { $0.name.name == "cpu" })
    try write(collected.bytes, to: "merged")
    let third = try QemuVM(
      disks, arguments: ["-incoming", "exec:cat \(directory.path("merged"))"])
    try third.waitForMigration()
    #expect(try third.monitor("info registers") == registers)
    try third.quit()
  }
}
