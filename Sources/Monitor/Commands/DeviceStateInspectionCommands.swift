import DeviceState
import FileNames
import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// What looks into device states without changing anything.
  static let deviceStateInspectionCommands: [Command] = [
    Command(
      "x-snapjob-device-state-inspect",
      [
        .optional("filename", .string), .optional("tag", .string), .optional("fields", .string),
      ],
      returns: .object(StateInspection.schema)
    ) { arguments, context in
      let reference: StateReference
      switch (arguments.string(ifPresent: "filename"), arguments.string(ifPresent: "tag")) {
      case (let path?, nil): reference = .file(try context.path(path))
      case (nil, let tag?): reference = .tag(tag)
      default: throw JobError(.usage, "Either 'filename' or 'tag' is needed")
      }
      return try context.services.images.inspect(
        reference, on: try context.machine(),
        fieldsOf: arguments.string(ifPresent: "fields")
      ).json
    },

    Command(
      "x-snapjob-device-state-diff",
      [.required("from", .string), .required("to", .string)],
      returns: .object(StreamComparison.schema)
    ) { arguments, context in
      try context.services.images.compare(
        try context.state(try arguments.string("from")),
        try context.state(try arguments.string("to")), on: try context.machine()
      ).json
    },
  ]
}

extension CommandContext {
  /// A state by a path, or `tag:` with the name of a snapshot.
  fileprivate func state(_ argument: String) throws(JobError) -> StateReference {
    if let tag = argument.suffix(after: "tag:") { return .tag(tag) }
    return .file(try path(argument))
  }
}
