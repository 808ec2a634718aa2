import ArgumentParser

/// `snapjob job pause`.
struct JobPauseCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Stop a job's work for a while.",
    discussion: """
      The images stay locked.

      Example:
        snapjob job pause save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup var answer: AnswerOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.ask("job-pause", ofJob: id, timeout: answer.timeout)
  }
}
