import QMP
import Snapjob
import TestOracles
import Testing

/// The same words to snapjob and to a real QEMU, on equal disks.
@Suite struct ConversationTests {
  private let directories: [TemporaryDirectory]

  init() throws {
    directories = [try TemporaryDirectory(), try TemporaryDirectory()]
    for directory in directories {
      for name in ["disk0", "disk1", "spare"] {
        try QemuImg.create(directory.path("\(name).qcow2"), size: "1M")
      }
    }
  }

  private func disks(_ directory: TemporaryDirectory) -> [QemuVM.Disk] {
    ["disk0", "disk1"].map { QemuVM.Disk($0, directory.path("\($0).qcow2")) }
  }

  @Test func theMonitorAnswersAsQEMUDoes() async throws {
    let steps = SnapshotConversation.steps + [ConversationStep("quit")]
    let vm = try QemuVM(disks(directories[0]), name: "default")
    let theirs = try await Transcript(
      of: steps, with: SocketPartner(vm.qmp), directory: directories[0].path)
    _ = vm.process.wait()

    let engine = try await Engine.open(catalogPath: directories[1].path("catalog.sqlite"))
    defer { engine.close() }
    let monitor = try engine.monitor(for: .stored("default"))
    for disk in disks(directories[1]) {
      _ = try await monitor.execute(
        "blockdev-add",
        [
          "driver": "qcow2", "node-name": .string(disk.node),
          "file": ["driver": "file", "filename": .string(disk.path)],
        ])
    }
    let partner = MonitorPartner(monitor)
    let ours = try await Transcript(of: steps, with: partner, directory: directories[1].path)

    let differences = theirs.differences(from: ours, in: steps)
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n\n"))")
    #expect(ours.statusChanges == theirs.statusChanges)
    #expect(ours.otherEvents == theirs.otherEvents)
    for disk in disks(directories[1]) {
      #expect(try QemuImg.check(disk.path).isClean)
    }
  }

  @Test func everyIntendedDifferenceIsSeenInTheConversation() {
    let seen = Set(SnapshotConversation.steps.compactMap(\.difference))
    #expect(seen == Set(IntendedDifference.allCases))
  }
}

/// The monitor of this process as a partner.
private final class MonitorPartner: ConversationPartner {
  private let monitor: any QMPEndpoint
  private let stream: AsyncStream<QMPEvent>

  init(_ monitor: any QMPEndpoint) {
    self.monitor = monitor
    stream = monitor.events()
  }

  func answer(_ command: String, _ arguments: String?) async throws -> JSONValue {
    let value = try arguments.map { text in try QMPValue(parsing: text) }
    do {
      let reply = try await monitor.execute(command, value)
      return .object(["return": try JSONValue(parsing: reply.jsonText)])
    } catch let error as QMPError {
      return .object([
        "error": .object([
          "class": .string(error.errorClass.rawValue), "desc": .string(error.desc),
        ])
      ])
    }
  }

  /// All events up to the end of the last job and of the monitor, which may come in any order.
  func events() async throws -> [JSONValue] {
    var events: [JSONValue] = []
    var awaited: Set = [SnapshotConversation.lastStatusChange, "SHUTDOWN"]
    for await event in stream {
      let data = try event.data.map { data in try JSONValue(parsing: data.jsonText) } ?? .null
      events.append(.object(["event": .string(event.name), "data": data]))
      awaited.remove(events.last?.statusChange ?? event.name)
      if awaited.isEmpty { break }
    }
    return events
  }
}
