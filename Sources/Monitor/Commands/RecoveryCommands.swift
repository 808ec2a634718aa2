import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// What every start does, explicitly.
  static let recoveryCommands: [Command] = [
    Command(
      "x-snapjob-recover",
      [
        .optional("dry-run", .boolean), .optional("id", .string),
        .optional(
          "force",
          .enumeration(
            SchemaEnumeration("SnapjobRecoveryForce", ["forward", "abandon"]))),
        .optional("files", .array(.string)),
      ],
      returns: .array(.object(Recovery.Finding.schema))
    ) { arguments, context in
      let recovery = context.services.recovery
      // Recovery goes forward by itself: "forward" is taken and asks for nothing more.
      let abandons = arguments.string(ifPresent: "force") == "abandon"
      let files = arguments.strings(ifPresent: "files") ?? []
      guard files.isEmpty else {
        guard abandons, !arguments.flag("dry-run"), arguments["id"] == nil else {
          throw JobError(.usage, "With files, what keeps them can only be abandoned")
        }
        return .array(
          try files.map { try recovery.abandon(path: try context.path($0)).json })
      }
      let id = try arguments.string(ifPresent: "id").map(JobID.init(naming:))
      let isRehearsal = arguments.flag("dry-run")
      var findings = try recovery.run(
        dryRun: isRehearsal, job: id, abandons: abandons, isThorough: true)
      if id == nil {
        let nodes = try context.services.machines.machines().flatMap(\.nodes)
        findings += try recovery.resolveFences(at: nodes.map(\.path), dryRun: isRehearsal)
      }
      return .array(findings.map(\.json))
    }
  ]
}

extension Recovery.Finding {
  fileprivate var json: QMPValue {
    .present([
      "jobs": .array(jobs.map { .string($0.description) }), "outcome": .string(outcome),
      "images": .array(images.map { .string($0) }), "resolved": .bool(isResolved),
      "x-kind": obstacle.map { .string($0.kind.rawValue) },
    ])
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobRecoveryFinding",
    [
      .required("jobs", .array(.string)), .required("outcome", .string),
      .required("images", .array(.string)), .required("resolved", .boolean),
      .optional("x-kind", .string),
    ])
}
