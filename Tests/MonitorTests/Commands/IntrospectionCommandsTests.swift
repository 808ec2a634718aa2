import Monitor
import QMP
import TestOracles
import Testing

@Suite struct IntrospectionCommandsTests {
  /// `query-qmp-schema` of this monitor, read by a parser that is not ours.
  private func ours() async throws -> Schema {
    let reply = try await House().execute("query-qmp-schema")
    return try Schema(JSONValue(parsing: reply.jsonText))
  }

  @Test func everyReferenceResolvesAndEveryNameIsThereOnce() async throws {
    let schema = try await ours()
    #expect(schema.duplicates.isEmpty)
    #expect(schema.unresolved.isEmpty)
    let commands = schema.names(ofKind: "command")
    #expect(Set(commands) == Set(Monitor.commands.map(\.name)))
    #expect(
      schema.names(ofKind: "event")
        == ["JOB_STATUS_CHANGE", "MIGRATION", "SHUTDOWN", "X_SNAPJOB_PROGRESS"])
    let outOfBand = commands.filter { schema[$0]?["allow-oob"]?.bool == true }
    #expect(Set(outOfBand) == ["yank", "query-yank"])
  }

  /// What snapjob has beyond QEMU without an `x-`: the contract names it so.
  private let extensions: Set<String> = [
    "query-jobs.ret.machine", "transaction.arg.actions.type=snapshot-save",
    "transaction.arg.actions.type=snapshot-load", "transaction.arg.actions.type=snapshot-delete",
    // These commands are jobs here.
    "query-jobs.ret.type=xen-save-devices-state", "query-jobs.ret.type=xen-load-devices-state",
  ]

  @Test func whatClientsProbeForIsThere() async throws {
    let features = try await ours()["human-monitor-command"]?["features"]
    #expect(features == .array([.string("savevm-monitor-nodes")]))
  }

  /// Commands whose replies leave out what a machine of files has not.
  private let incompleteReplies: Set<String> = [
    "query-named-block-nodes", "query-block", "query-blockstats", "query-qmp-schema",
    "query-migrate",
  ]

  /// Commands that take fewer drivers, formats and options than QEMU's.
  private let incompleteArguments: Set<String> = [
    "blockdev-add", "blockdev-create",
  ]

  @Test func commandsOfQEMUHaveQEMUsShape() async throws {
    let ours = try await ours()
    let vm = try QemuVM([])
    let theirs = try Schema(vm.execute("query-qmp-schema"))
    try vm.quit()
    let shared = ours.names(ofKind: "command").filter { theirs[$0] != nil }
    #expect(shared.count >= 31)
    for command in shared + ours.names(ofKind: "event") {
      let differences = ours.differences(command, from: theirs) { place in
        if place.contains(".x-") || extensions.contains(place) { return true }
        if incompleteReplies.contains(command), place.contains(".ret") { return true }
        return incompleteArguments.contains(command) && place.contains(".arg")
      }
      #expect(differences.isEmpty, "\(command): \(differences)")
    }
    let unknown = ours.names(ofKind: "command").filter { theirs[$0] == nil }
    #expect(unknown.allSatisfy { $0.hasPrefix("x-snapjob-") }, "\(unknown)")
  }
}
