import ArgumentParser

/// `snapjob job finalize`.
struct JobFinalizeCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "finalize", abstract: "Commit a job that is pending.",
    discussion: """
      Returns at once; snapjob job wait waits for the end. On a job that recovery left \
      pending, recovery is tried again.

      Example:
        snapjob job finalize save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup var answer: AnswerOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.ask("job-finalize", ofJob: id, timeout: answer.timeout)
  }
}
