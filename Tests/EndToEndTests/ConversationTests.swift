import TestOracles
import Testing

/// The same words to `snapjob serve` and to a real QEMU, on equal disks.
@Suite struct ConversationTests {
  @Test func theServerAnswersAsQEMUDoes() async throws {
    let steps = SnapshotConversation.steps + [ConversationStep("quit")]
    let directory = try TemporaryDirectory()
    let program = try Program()
    for name in ["disk0", "disk1", "spare"] {
      try QemuImg.create(directory.path("\(name).qcow2"), size: "1M")
      try QemuImg.create(program.path("\(name).qcow2"), size: "1M")
    }
    let vm = try QemuVM(
      ["disk0", "disk1"].map { QemuVM.Disk($0, directory.path("\($0).qcow2")) }, name: "default")
    let theirs = try await Transcript(
      of: steps, with: SocketPartner(vm.qmp), directory: directory.path)
    _ = vm.process.wait()

    for name in ["disk0", "disk1"] { try program.run("node", "add", name, "\(name).qcow2") }
    let (server, qmp) = try program.serve()
    let ours = try await Transcript(
      of: steps, with: SocketPartner(qmp), directory: program.directory.path)
    #expect(server.wait() == 0)

    let differences = theirs.differences(from: ours, in: steps)
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n\n"))")
    #expect(ours.statusChanges == theirs.statusChanges)
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }
}
