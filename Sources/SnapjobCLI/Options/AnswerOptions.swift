import ArgumentParser

/// How long a job's process may take to answer.
struct AnswerOptions: ParsableArguments, Sendable {
  @Option(
    help: ArgumentHelp(
      "How long to wait for the job's process; a request that is given up is taken back. Default: 5 for it "
        + "to begin, then until it is done.",
      valueName: "seconds"))
  var timeout: Seconds?
}
