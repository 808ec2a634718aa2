import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension CommandTable {
  /// Snapshots of single devices. They are done when the command returns, and are no jobs.
  static let deviceSnapshotCommands: [Command] = [
    Command("blockdev-snapshot-internal-sync", DeviceSnapshotAction.takeMembers) {
      arguments, context in
      let action = try DeviceSnapshotAction(taking: arguments)
      try context.services.images.prepare([.snapshot(action)], on: try context.machine()).commit()
    },

    Command(
      "blockdev-snapshot-delete-internal-sync",
      [.required("device", .string), .optional("id", .string), .optional("name", .string)],
      returns: .object(Snapshot.schema)
    ) { arguments, context in
      let action = DeviceSnapshotAction.delete(
        device: try arguments.string("device"), id: arguments.string(ifPresent: "id"),
        name: arguments.string(ifPresent: "name"))
      let change = try context.services.images.prepare(
        [.snapshot(action)], on: try context.machine())
      try change.commit()
      return change.removed.first?.json ?? [:]
    },
  ]
}

extension DeviceSnapshotAction {
  /// The arguments of `blockdev-snapshot-internal-sync`.
  static let takeMembers: [SchemaMember] = [
    .required("device", .string), .required("name", .string),
  ]

  /// The action of checked arguments.
  init(taking arguments: Arguments) throws(QMPError) {
    self = .take(
      device: try arguments.string("device"), name: try arguments.string("name"))
  }
}
