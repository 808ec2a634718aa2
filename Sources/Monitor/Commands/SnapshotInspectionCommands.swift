import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// What tells of snapshots without changing anything.
  static let snapshotInspectionCommands: [Command] = [
    Command(
      "x-snapjob-plan",
      [
        .required(
          "command",
          .enumeration(SchemaEnumeration(SnapshotRequest.Operation.commands.map(\.rawValue)))),
        .required("arguments", .any),
      ],
      returns: .array(.object(NodePlan.schema))
    ) { arguments, context in
      let name = try arguments.string("command")
      guard let operation = SnapshotRequest.Operation(rawValue: name),
        let command = CommandTable.standard[name]
      else { throw QMPError(.commandNotFound, "The command \(name) has not been found") }
      let request = try SnapshotRequest(
        operation, try command.signature.check(arguments["arguments"]))
      let plan = try context.services.images.plan(request, on: try context.machine())
      return .array(try context.withLastPause(plan, request).map(\.json))
    },

    Command(
      "x-snapjob-bytes-at-risk",
      [.required("tag", .string), .required("devices", .array(.string))],
      returns: .object(
        SchemaObject([
          .nullable("machine", .string), .required("devices", .integer),
          .required("bytes", .integer),
        ]))
    ) { arguments, context in
      let devices = try arguments.strings("devices")
      let request = SnapshotRequest(
        operation: .load, tag: try arguments.string("tag"), devices: devices, vmstate: nil)
      let bytes = try context.services.images.bytesAtRisk(request, on: try context.machine())
      return [
        "machine": QMPValue(context.machineName), "devices": .int(Int64(devices.count)),
        "bytes": .int(bytes),
      ]
    },

    Command(
      "x-snapjob-list",
      [
        .optional("devices", .array(.string)), .optional("all-machines", .boolean),
        .optional("sizes", .boolean),
      ],
      returns: .array(.object(SnapshotListing.schema))
    ) { arguments, context in
      var snapshots: [QMPValue] = []
      for machine in try context.machines(arguments) {
        let listings = try context.services.images.snapshots(
          of: machine, on: arguments.strings(ifPresent: "devices"),
          withSpace: arguments.flag("sizes"))
        snapshots += try context.represented(listings, of: machine)
      }
      return .array(snapshots)
    },

    // The same as far as the images can be read.
    Command(
      "x-snapjob-survey",
      [
        .optional("devices", .array(.string)), .optional("all-machines", .boolean),
        .optional("sizes", .boolean),
      ],
      returns: .object(ListedSnapshots.schema)
    ) { arguments, context in
      var snapshots: [QMPValue] = []
      var failures: [QMPValue] = []
      for machine in try context.machines(arguments) {
        let survey = try context.services.images.survey(
          of: machine, on: arguments.strings(ifPresent: "devices"),
          withSpace: arguments.flag("sizes"))
        snapshots += try context.represented(survey.listings, of: machine)
        failures += survey.failures.map { $0.json(machine: machine.name) }
      }
      return ["snapshots": .array(snapshots), "failures": .array(failures)]
    },

    Command(
      "x-snapjob-prune-plan",
      [
        .required("match", .string), .required("keep-last", .unsigned),
        .optional("devices", .array(.string)),
      ],
      returns: .array(.object(RetentionPolicy.Verdict.schema))
    ) { arguments, context in
      let policy = try RetentionPolicy(
        match: try arguments.string("match"),
        keepLast: Int(clamping: try arguments.unsigned("keep-last")))
      let machine = try context.machine()
      let listings = try context.services.images.snapshots(
        of: machine, on: arguments.strings(ifPresent: "devices"), withSpace: false)
      let makers = try context.makers(of: listings)
      let verdicts = policy.verdicts(on: SnapshotSequence(makers).sorted(listings)) {
        makers[$0] != nil
      }
      return .array(verdicts.map(\.json))
    },

    Command(
      "x-snapjob-diff",
      [
        .required("from", .string), .optional("to", .string),
        .optional("devices", .array(.string)), .optional("progress", .boolean),
      ],
      returns: .array(.object(DiskDifferences.rangeSchema))
    ) { arguments, context in
      let disks = try context.services.images.differences(
        on: try context.machine(), from: try arguments.string("from"),
        to: arguments.string(ifPresent: "to"), devices: arguments.strings(ifPresent: "devices"),
        progress: context.progress(of: "x-snapjob-diff", nil, arguments))
      return .array(disks.flatMap(\.json))
    },
  ]
}

extension CommandContext {
  /// Adds to the plan of a save by a running machine how long its guest stood still the last time.
  fileprivate func withLastPause(
    _ plan: [NodePlan], _ request: SnapshotRequest
  ) throws(JobError) -> [NodePlan] {
    guard let index = plan.firstIndex(where: { $0.isLive && $0.bytesToWrite > 0 }) else {
      return plan
    }
    var plan = plan
    plan[index].lastPauseNanoseconds = try services.history.history(
      subject: machineName, allSubjects: false, id: nil
    )
    .lazy.filter { $0.type == request.operation.rawValue }
    .compactMap { $0.snapshotResult?.pauseNanoseconds }.first
    return plan
  }

  /// The machines that a command is about: all, or its own.
  fileprivate func machines(_ arguments: Arguments) throws -> [Machine] {
    arguments.flag("all-machines") ? try services.machines.machines() : [try machine()]
  }

  /// Listings with what the catalog knows of their makers, those first that were taken first.
  fileprivate func represented(
    _ listings: [SnapshotListing], of machine: Machine
  ) throws(JobError) -> [QMPValue] {
    let makers = try makers(of: listings)
    return SnapshotSequence(makers).sorted(listings).map { listing in
      let known = listing.devices.lazy.compactMap { makers[listing.key(of: $0)] }
      return listing.json(machine: machine.name, madeBy: known.first)
    }
  }

  /// What the catalog knows of the making of snapshots.
  fileprivate func makers(
    of listings: [SnapshotListing]
  ) throws(JobError) -> [SnapshotKey: SnapshotMaker] {
    let keys = listings.flatMap { listing in listing.devices.map { listing.key(of: $0) } }
    return keys.isEmpty ? [:] : try services.makers.makers(of: Set(keys))
  }
}
