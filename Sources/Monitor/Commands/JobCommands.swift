import Jobs
import QMP

extension CommandTable {
  /// The verbs of jobs. A job of any machine is found: its name is unique in the catalog.
  static let jobCommands: [Command] =
    [
      Command(
        "job-cancel",
        [.required("id", .string), .optional("x-reason", .string), answerLimit]
      ) { arguments, context in
        let id = try JobID(naming: try arguments.string("id"))
        try await context.services.runner.apply(
          .cancel, to: id, because: arguments.string(ifPresent: "x-reason"),
          within: arguments.answerLimit)
      }
    ]
    + [
      ("job-pause", JobVerb.pause), ("job-resume", .resume), ("job-complete", .complete),
      ("job-finalize", .finalize), ("job-dismiss", .dismiss),
    ].map { name, verb in
      Command(name, [.required("id", .string), answerLimit]) { arguments, context in
        let id = try JobID(naming: try arguments.string("id"))
        try await context.services.runner.apply(verb, to: id, within: arguments.answerLimit)
      }
    } + [
      Command(
        "x-snapjob-dismiss-all", [.optional("all-machines", .boolean)],
        returns: .object(SchemaObject([.required("dismissed", .integer)]))
      ) { arguments, context in
        let isForAll = arguments.flag("all-machines")
        var count: Int64 = 0
        for record in try context.jobs(ofAllMachines: isForAll)
        where record.status == .concluded {
          do throws(JobError) {
            try await context.services.runner.apply(.dismiss, to: record.id)
            count += 1
          } catch {
            // Somebody else has dismissed it meanwhile.
            guard error.kind == .notFound else { throw error }
          }
        }
        return ["dismissed": .int(count)]
      }
    ]
}

extension CommandTable {
  /// How many milliseconds the process of a job may take to answer.
  private static var answerLimit: SchemaMember { .optional("x-timeout-ms", .unsigned) }
}

extension Arguments {
  /// The limit as ``JobRunner`` takes it; nil for its own.
  fileprivate var answerLimit: Duration? {
    unsigned(ifPresent: "x-timeout-ms").map { .milliseconds(Int64(clamping: $0)) }
  }
}

extension JobID {
  /// The name of a job that should exist; a malformed one names none.
  init(naming name: String) throws(JobError) {
    guard JobID.isWellFormed(name) else { throw .jobNotFound }
    try self.init(name)
  }
}
