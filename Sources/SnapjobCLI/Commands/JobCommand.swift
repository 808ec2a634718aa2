import ArgumentParser

/// `snapjob job`.
struct JobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job",
    abstract: "Look at a job, or ask something of it.",
    discussion: "Works on jobs of any process and any machine: ids are unique in the catalog.",
    subcommands: [
      JobShowCommand.self, JobLogCommand.self, JobWaitCommand.self, JobCancelCommand.self,
      JobPauseCommand.self, JobResumeCommand.self, JobFinalizeCommand.self,
      JobDismissCommand.self,
    ])
}
