import Jobs
import QMP
import SnapshotJobs
import Testing

@testable import LiveMachine

@Suite struct RefusedLoadTests {
  private static func refusal(_ text: String, noResume: Bool? = nil) -> RefusedLoad {
    var request = SnapshotRequest(operation: .load, tag: "t", devices: ["a"], vmstate: "a")
    request.noResume = noResume
    return RefusedLoad(request: request, error: JobError(.general, text), firstNode: "#block1")
  }

  private static func monitor(_ status: String) -> ToyMonitor {
    ToyMonitor(["query-status": [["status": .string(status)]], "cont": [[:]]])
  }

  private static let early =
    "Could not load snapshot 't' on '#block1': Device has active dirty bitmaps"

  @Test(arguments: [early, "Snapshot 't' does not exist in one or more devices"])
  func `a machine that was stopped for nothing goes on`(text: String) async throws {
    let monitor = Self.monitor("restore-vm")
    let error = try await Self.refusal(text).settle(on: monitor)
    #expect(error.message == "\(text). Nothing was changed; the machine goes on")
    #expect(monitor.commands.last == "cont")
  }

  @Test(arguments: [
    "Could not load snapshot 't' on '#block2': Device has active dirty bitmaps",
    "Could not load snapshot 't' on '#block1': Failed to load snapshot: Input/output error",
    "Error -22 while loading VM state",
  ])
  func `a machine whose disks may have gone back stays stopped`(text: String) async throws {
    let monitor = Self.monitor("restore-vm")
    let error = try await Self.refusal(text).settle(on: monitor)
    #expect(
      error.message.contains("The machine is stopped: some of its disks may be at 't' already"))
    #expect(!monitor.commands.contains("cont"))
  }

  @Test func `a machine that did not run before is left as it is`() async throws {
    let monitor = Self.monitor("paused")
    #expect(try await Self.refusal(Self.early).settle(on: monitor).message == Self.early)
    #expect(monitor.commands == ["query-status"])
  }

  @Test func `a machine stays stopped where that was asked for`() async throws {
    let monitor = Self.monitor("restore-vm")
    let error = try await Self.refusal(Self.early, noResume: true).settle(on: monitor)
    #expect(error.message.hasSuffix("Nothing was changed; the machine is stopped"))
    #expect(!monitor.commands.contains("cont"))
  }
}
