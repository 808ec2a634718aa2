import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// `xen-save-devices-state` and `xen-load-devices-state`: each is a job, and replies when it has concluded.
  ///
  /// A client that names the job (`x-job-id`) gets the reply when it has begun, as for snapshot jobs.
  static let deviceStateCommands: [Command] = [
    Command(
      DeviceStateRequest.Operation.save.rawValue,
      [
        .required("filename", .string), .optional("live", .boolean), .optional("x-tag", .string),
        .optional("x-with-ram", .boolean), .optional("x-footers", .boolean),
      ] + jobMembers
    ) { arguments, context in
      var request = DeviceStateRequest(
        .save, filename: try context.outputPath(try arguments.string("filename")))
      request.tag = arguments.string(ifPresent: "x-tag")
      request.withRAM = arguments.flag("x-with-ram")
      request.hasFooters = arguments.flag("x-footers", default: true)
      request.live = arguments["live"] == nil ? nil : arguments.flag("live")
      try await context.run(request, arguments)
    },

    Command(
      DeviceStateRequest.Operation.load.rawValue,
      [.required("filename", .string), .optional("x-force", .boolean)] + jobMembers
    ) { arguments, context in
      var request = DeviceStateRequest(
        .load, filename: try context.path(try arguments.string("filename")))
      request.force = arguments.flag("x-force")
      try await context.run(request, arguments)
    },
  ]

  private static let jobMembers: [SchemaMember] = [
    .optional("x-job-id", .string), .optional("x-note", .string),
  ]
}

extension CommandContext {
  /// Runs the job of a request: to its conclusion, unless the client has given it a name.
  fileprivate func run(_ request: DeviceStateRequest, _ arguments: Arguments) async throws {
    let type = request.operation.rawValue
    let given = try arguments.string(ifPresent: "x-job-id").map { try JobID($0) }
    let id = try given ?? JobID.devicesState()
    let options = JobOptions(id: id, note: arguments.string(ifPresent: "x-note"))
    let work = services.images.work(request, on: try machine())
    try await start(type, request, options, work: work)
    guard given == nil else { return }
    let record = try await services.runner.wait(for: id)
    // Its client does not know of it: it is found in the history.
    if record.status == .concluded { try? await services.runner.apply(.dismiss, to: id) }
    if let error = record.error { throw error }
  }
}

extension JobID {
  /// A name for a job that was given none.
  fileprivate static func devicesState() throws(JobError) -> JobID {
    try JobID("devices-state-\(String(UInt64.random(in: .min ... .max), radix: 36))")
  }
}
