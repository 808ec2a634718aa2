import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// `snapshot-save`, `snapshot-load`, `snapshot-delete`: each starts a job.
  ///
  /// As in QEMU only the arguments' types and the job's name are checked at once; everything else is
  /// the job's own error.
  static let snapshotCommands: [Command] = SnapshotRequest.Operation.commands.map { operation in
    Command(operation.rawValue, operation.jobMembers) { arguments, context in
      let options = try JobOptions(arguments)
      let machine = try context.machine()
      var request = try SnapshotRequest(operation, arguments)
      request.name(options.id, on: machine)
      let work = context.services.images.work(request, on: machine)
      try await context.start(operation.rawValue, request, options, work: work)
    }
  }
}

extension SnapshotRequest.Operation {
  /// The operations in the order of the documentation.
  static let commands: [SnapshotRequest.Operation] = [.save, .load, .delete]

  /// The command's arguments.
  var jobMembers: [SchemaMember] {
    members + [
      .optional("x-auto-finalize", .boolean), .optional("x-auto-dismiss", .boolean),
      .optional("x-note", .string),
    ]
  }

  /// The arguments without the optional ones of every job.
  private var members: [SchemaMember] {
    let jobID = SchemaMember.required("job-id", .string)
    let tag = SchemaMember.required("tag", .string)
    let vmstate = SchemaMember.required("vmstate", .string)
    let devices = SchemaMember.required("devices", .array(.string))
    return switch self {
    case .save:
      [
        jobID, tag, vmstate, devices, .optional("x-disk-only", .boolean),
        .optional("x-exist-ok", .boolean), .optional("x-replace", .boolean),
        .optional("x-no-heal", .boolean), .optional("x-require-state", .boolean),
        .optional(
          "x-clear-bitmaps",
          .array(.object(SchemaObject("BlockDirtyBitmap", BitmapCommand.nodeAndName)))),
      ]
    case .load:
      [
        jobID, tag, vmstate, devices, .optional("x-save-current", .string),
        .optional("x-no-resume", .boolean), .optional("x-strict-bitmaps", .boolean),
        .optional("x-id", .string),
      ]
    case .delete:
      [
        jobID, tag, devices, .optional("x-more-tags", .array(.string)),
        .optional("x-must-exist", .boolean), .optional("x-id", .string),
      ]
    }
  }
}

extension SnapshotRequest {
  /// Gives the job a name in the machine's QEMU, if it may be running, by which it is found again.
  mutating func name(_ id: JobID, on machine: Machine) {
    if machine.monitor != nil { liveJobID = "snapjob-\(id)" }
  }

  /// The request of checked arguments.
  init(_ operation: Operation, _ arguments: Arguments) throws(QMPError) {
    self.init(
      operation: operation, tag: try arguments.string("tag"),
      devices: try arguments.strings("devices"), vmstate: arguments.string(ifPresent: "vmstate"))
    snapshotID = arguments.string(ifPresent: "x-id")
    diskOnly = arguments.flag("x-disk-only")
    existOK = arguments.flag("x-exist-ok")
    replace = arguments.flag("x-replace")
    requiresState = arguments.flag("x-require-state") ? true : nil
    noHeal = arguments.flag("x-no-heal") ? true : nil
    noResume = arguments.flag("x-no-resume") ? true : nil
    strictBitmaps = arguments.flag("x-strict-bitmaps") ? true : nil
    saveCurrent = arguments.string(ifPresent: "x-save-current")
    moreTags = arguments.strings(ifPresent: "x-more-tags") ?? []
    mustExist = arguments.flag("x-must-exist")
    let clears = try arguments["x-clear-bitmaps"].map { _ throws(QMPError) in
      try arguments.objects("x-clear-bitmaps").map { bitmap throws(QMPError) in
        BitmapAction.clear(
          node: try bitmap.string("node"), name: try bitmap.string("name"))
      }
    }
    laterBitmapActions = clears
  }
}

extension JobOptions {
  /// The options of checked arguments.
  ///
  /// - Throws: QEMU's text for a malformed `job-id`.
  init(_ arguments: Arguments) throws {
    self.init(
      id: try JobID(try arguments.string("job-id")),
      isAutoFinalized: arguments.flag("x-auto-finalize", default: true),
      isAutoDismissed: arguments.flag("x-auto-dismiss"),
      note: arguments.string(ifPresent: "x-note"))
  }
}
