import ArgumentParser

/// `snapjob job cancel`.
struct JobCancelCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancel a job and undo its work.",
    discussion: """
      Before its commit point a job is undone; after it, a cancellation is refused. Returns at \
      once; snapjob job wait waits for the undo.

      Example:
        snapjob job cancel save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup var answer: AnswerOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.ask("job-cancel", ofJob: id, timeout: answer.timeout)
  }
}
