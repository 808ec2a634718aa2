import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// Snapshot jobs of one or several machines under one commit record: all or none.
  ///
  /// QMP's own `transaction` knows one machine only, that of its connection.
  static let groupCommands: [Command] = [
    Command(
      "x-snapjob-start-group",
      [
        .required(
          "jobs",
          .array(
            .object(
              SchemaObject(
                "SnapjobGroupMember",
                [
                  .required("machine", .string),
                  .required(
                    "command",
                    .enumeration(
                      SchemaEnumeration(SnapshotRequest.Operation.commands.map(\.rawValue)))),
                  .required("arguments", .any),
                ]))))
      ]
    ) { arguments, context in
      let requests = try arguments.objects("jobs").map { try context.groupMember($0) }
      try await context.whenIdle { () throws(JobError) in
        try context.services.runner.start(requests, .grouped)
      }
    }
  ]
}

extension CommandContext {
  fileprivate func groupMember(_ member: Arguments) throws -> JobRunner.Request {
    let name = try member.string("command")
    guard let operation = SnapshotRequest.Operation(rawValue: name),
      let command = CommandTable.standard[name]
    else { throw QMPError(.commandNotFound, "The command \(name) has not been found") }
    let arguments = try command.signature.check(member["arguments"])
    let options = try JobOptions(arguments)
    var request = try SnapshotRequest(operation, arguments)
    request.isGrouped = true
    let machine = try services.machines.machine(named: try member.string("machine"))
    let job = try NewJob(name, request, options, work: services.images.work(request, on: machine))
    return JobRunner.Request(record: job.record(onMachine: machine.name), work: job.work)
  }
}
