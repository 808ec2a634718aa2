import Jobs
import QMP

extension CommandTable {
  /// What tells of jobs.
  static let jobInspectionCommands: [Command] = [
    Command(
      "query-jobs", [.optional("x-all-machines", .boolean)],
      returns: .array(.object(JobRecord.infoSchema))
    ) { arguments, context in
      let isForAll = arguments.flag("x-all-machines")
      return .array(
        try context.jobs(ofAllMachines: isForAll).map { record in
          .object(record.infoMembers + (isForAll ? [record.machineMember] : []))
        })
    },

    Command(
      "x-snapjob-query-jobs",
      [
        .optional("id", .string), .optional("history", .boolean),
        .optional("all-machines", .boolean),
      ],
      returns: .array(.object(JobRecord.schema))
    ) { arguments, context in
      let id = try arguments.string(ifPresent: "id").map(JobID.init(naming:))
      let isForAll = arguments.flag("all-machines")
      let records =
        arguments.flag("history")
        ? try context.history(id: id, ofAllMachines: isForAll)
        : try context.jobs(ofAllMachines: isForAll || id != nil)
          .filter { id == nil || $0.id == id }
      if id != nil, records.isEmpty { throw JobError.jobNotFound }
      return .array(records.map(\.json))
    },

    Command(
      "x-snapjob-job-log", [.required("id", .string)],
      returns: .array(
        .object(
          SchemaObject([.required("status", .string), .required("timestamp", .string)])))
    ) { arguments, context in
      let id = try JobID(naming: try arguments.string("id"))
      return .array(
        try context.services.history.statusLog(of: id).map { change in
          [
            "status": .string(change.status.rawValue),
            "timestamp": .string(RFC3339.text(change.time)),
          ]
        })
    },
  ]
}

extension CommandContext {
  /// Jobs, dismissed or not, newest first; those that run here with their live progress. With an
  /// id, only jobs of that name, of whatever machine.
  fileprivate func history(id: JobID?, ofAllMachines: Bool) throws(JobError) -> [JobRecord] {
    let records = try services.history.history(
      subject: machineName, allSubjects: ofAllMachines || id != nil, id: id)
    let live = try services.runner.jobs()
    return records.map { record in
      live.first { $0.id == record.id && $0.created == record.created } ?? record
    }
  }
}
