import Jobs
import QMP

extension CommandTable {
  /// The care of the catalog.
  static let catalogCommands: [Command] = [
    Command(
      "x-snapjob-catalog",
      [
        .required(
          "action",
          .enumeration(
            SchemaEnumeration("SnapjobCatalogAction", ["path", "check", "backup", "prune"]))),
        .optional("filename", .string),
      ],
      returns: .object(
        SchemaObject([
          .required("path", .string), .optional("problems", .array(.string)),
          .optional("filename", .string), .optional("dismissed", .integer),
          .optional("deleted", .integer),
        ]))
    ) { arguments, context in
      let catalog = context.services.catalog
      var members: [QMPValue.Member] = [.init("path", .string(catalog.path))]
      switch try arguments.string("action") {
      case "check":
        members.append(.init("problems", .array(try catalog.check().map { .string($0) })))
      case "backup":
        try context.requireAllFiles(for: "a copy of the catalog, with all machines in it,")
        let path = try context.outputPath(try arguments.string("filename"))
        try catalog.backup(to: path)
        members.append(.init("filename", .string(path)))
      case "prune":
        let (dismissed, deleted) = try catalog.prune()
        members.append(.init("dismissed", .int(Int64(dismissed))))
        members.append(.init("deleted", .int(Int64(deleted))))
      default: break
      }
      return .object(members)
    }
  ]
}
