import FileNames
import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension CommandTable {
  /// What looks into images: nodes of the machine, or files.
  static let imageCommands: [Command] = [
    Command(
      "x-snapjob-check",
      [
        .optional("targets", .array(.string)),
        .optional(
          "repair",
          .enumeration(
            SchemaEnumeration("SnapjobRepairScope", RepairScope.allCases.map(\.rawValue)))),
        .optional("progress", .boolean),
      ],
      returns: .array(.object(CheckReport.schema))
    ) { arguments, context in
      let targets = try context.imageTargets(arguments.strings(ifPresent: "targets") ?? [])
      let scope = arguments.string(ifPresent: "repair").flatMap(RepairScope.init(rawValue:))
      return .array(
        targets.map { target in
          if let problem = target.problem { return target.uncheckedJSON(problem) }
          return Result { () throws(Qcow2Error) in
            try context.services.images.check(
              target.path, repair: scope,
              progress: context.progress(of: "x-snapjob-check", target.name, arguments))
          }.checkJSON(target)
        })
    },

    Command(
      "x-snapjob-verify",
      [
        .optional("targets", .array(.string)), .optional("tag", .string),
        .optional("digest", .boolean), .optional("progress", .boolean),
      ],
      returns: .array(.object(VerifyReport.schema))
    ) { arguments, context in
      let targets = try context.imageTargets(arguments.strings(ifPresent: "targets") ?? [])
      let tag = arguments.string(ifPresent: "tag")
      let images = context.services.images
      return .array(
        targets.map { target in
          Result { () throws(JobError) in
            if let problem = target.problem { throw problem }
            return try images.verify(
              target.path, tag: tag, withDigests: arguments.flag("digest"),
              progress: context.progress(of: "x-snapjob-verify", target.name, arguments))
          }
          .verifyJSON(target, secondReader: images.secondReaderName)
        })
    },
  ]
}

/// An image that a command is to look into.
struct ImageTarget: Sendable, Hashable {
  /// What the client called it.
  let name: String
  /// The file's absolute path; the name where that cannot be told.
  var path: String
  /// Why there is nothing to look into; nil if there may be.
  var problem: JobError?
}

extension CommandContext {
  /// The images that names stand for: with a `/` a file, else a node, else an existing file; all
  /// nodes of the machine that are not excluded if there are no names.
  func imageTargets(_ names: [String]) throws(JobError) -> [ImageTarget] {
    if names.isEmpty {
      return try machine().nodes.filter { !$0.isExcluded }.map {
        ImageTarget(name: $0.name.description, path: $0.path)
      }
    }
    // Files are looked into whatever the machine is, even if there is none of that name.
    let nodes = names.allSatisfy { $0.hasSlash } ? nil : try machine()
    var targets: [ImageTarget] = []
    for name in names {
      if !name.hasSlash, let node = nodes?.node(name) {
        targets.append(ImageTarget(name: name, path: node.path))
        continue
      }
      var target = ImageTarget(name: name, path: name)
      do throws(JobError) {
        target.path = try path(name)
        if !name.hasSlash, !ImagePath.exists(target.path) {
          throw JobError(.notFound, "'\(name)' is neither a node of the machine nor a file here")
        }
      } catch {
        target.problem = error
      }
      targets.append(target)
    }
    return targets
  }
}
