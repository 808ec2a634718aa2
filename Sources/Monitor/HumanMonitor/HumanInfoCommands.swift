import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension HumanMonitor {
  /// The commands behind `info`, in the order of the help.
  static let infoCommands: [HumanCommand] = [
    HumanCommand(
      "block", [.option("n"), .option("v"), .string("device", isOptional: true)],
      usage: "[-n] [-v] [device]",
      help: "show info of one block device or all block devices (-n: show named nodes; "
        + "-v: show details)"
    ) { arguments, context in
      let nodes = try context.machine().nodes.map { context.services.images.describe($0) }
      return BlockText(nodes).text(arguments)
    },
    HumanCommand("block-jobs", help: "show progress of ongoing block device operations") { _, _ in
      "No active jobs\n"
    },
    HumanCommand("jobs", help: "show the jobs that are not dismissed") { _, context in
      let jobs = try context.jobs(ofAllMachines: false)
      return jobs.isEmpty ? "No active jobs\n" : jobs.map(\.humanLine).joined()
    },
    HumanCommand("name", help: "show the current VM name") { _, context in
      context.machineName.map { "\($0)\n" } ?? ""
    },
    HumanCommand("snapshots", help: "show the currently saved VM snapshots") { _, context in
      try context.snapshotText()
    },
    HumanCommand("status", help: "show the current VM status (running|paused)") { _, context in
      "VM status: paused (\(CommandTable.runState))\n"
    },
    HumanCommand("uuid", help: "show the current VM UUID") { _, _ in
      "\(CommandTable.uuid)\n"
    },
    HumanCommand("version", help: "show the version of QEMU") { _, context in
      let version = CommandTable.followedVersion
      return "\(version.major).\(version.minor).\(version.micro)\(context.package)\n"
    },
  ]
}

extension JobRecord {
  /// The job as a line of `info jobs`, in the style of QEMU's `info block-jobs`.
  fileprivate var humanLine: String {
    "Type \(type), id \(id), status \(status.rawValue): "
      + "Completed \(progress.current) of \(progress.total) bytes"
      + (error.map { ", error: \($0.message)" } ?? "") + "\n"
  }
}

extension CommandContext {
  /// `info snapshots`: what all nodes have, told of the one that keeps device state, then the rest of
  /// each node. QEMU calls a device without a drive name by the empty one.
  fileprivate func snapshotText() throws -> String {
    let machine = try machine()
    let nodes = machine.coveredNodes
    guard let holder = nodes.first(where: { $0.name == machine.vmstate }) ?? nodes.first else {
      return "\(JobError.noSnapshotDevice.message)\n"
    }
    var tables: [NodeName: [SnapshotText]] = [:]
    for node in nodes {
      let description = services.images.describe(node)
      if let problem = description.problem { throw problem }
      tables[node.name] = (description.image?.snapshots ?? []).map(SnapshotText.init)
    }
    guard tables.values.contains(where: { !$0.isEmpty }) else {
      return "There is no snapshot available.\n"
    }
    let common = (tables[holder.name] ?? []).filter { row in
      tables.values.allSatisfy { rows in rows.contains { $0.hasSameName(as: row) } }
    }
    var text = "List of snapshots present on all disks:\n"
    text += common.isEmpty ? "None\n" : SnapshotText.table(common.map(\.withoutID))
    for node in nodes {
      let partial = (tables[node.name] ?? []).filter { row in
        !common.contains { $0.hasSameName(as: row) }
      }
      if partial.isEmpty { continue }
      text += "\nList of partial (non-loadable) snapshots on '':\n" + SnapshotText.table(partial)
    }
    return text
  }
}
