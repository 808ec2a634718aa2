import ArgumentParser

/// `snapjob job resume`.
struct JobResumeCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on with a paused job.",
    discussion: """
      Returns at once.

      Example:
        snapjob job resume save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup var answer: AnswerOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.ask("job-resume", ofJob: id, timeout: answer.timeout)
  }
}
