import QMP

/// Where a command's results and notes go: results on stdout, as text or JSON; everything else on
/// stderr.
struct Output: Sendable {
  /// What is underneath.
  let console: Console
  /// Whether stdout carries JSON.
  let isJSON: Bool
  /// Whether notes are left out.
  let isQuiet: Bool
  /// Whether each status of a job is told.
  let isVerbose: Bool
  /// How progress is shown.
  let progress: ProgressMode
  /// What this run has done that stays.
  let completed: CompletedWork
  /// How the commands are spelled that messages recommend; nil before the options are known.
  var nextSteps: NextSteps?

  init(console: Console, globals: GlobalOptions) {
    self.console = console
    isJSON = globals.json
    isQuiet = globals.quiet
    isVerbose = globals.verbose
    progress = globals.progress
    completed = CompletedWork()
  }

  private init(console: Console, progress: ProgressMode, completed: CompletedWork) {
    self.console = console
    isJSON = false
    isQuiet = false
    isVerbose = false
    self.progress = progress
    self.completed = completed
  }

  /// The same for a step of a command whose results are not the command's: no JSON.
  func silenced() -> Output {
    var silenced = Output(
      console: console, progress: isQuiet ? .none : progress, completed: completed)
    silenced.nextSteps = nextSteps
    return silenced
  }

  /// A line of a result, for people; nothing with `--json`.
  func line(_ text: String) {
    if !isJSON { console.out.write(text + "\n") }
  }

  /// A sentence that may recommend a command, as a line of a result.
  func sentence(_ text: String) { line(spelled(text)) }

  private func spelled(_ text: String) -> String { nextSteps?.spelled(in: text) ?? text }

  /// A reply with the commands that it recommends as this command line needs them.
  func spelled(_ reply: QMPValue) -> QMPValue { nextSteps?.spelled(in: reply) ?? reply }

  /// A line of JSON; nothing without `--json`.
  func json(_ value: QMPValue) {
    if isJSON { console.out.write(spelled(value).jsonText + "\n") }
  }

  /// A table, for people; nothing with `--json`.
  func table(_ table: Table) {
    if !isJSON { console.out.write(table.text) }
  }

  /// What a job has to say besides its end.
  func remarks(of job: JobView) {
    let steps = nextSteps?.about(job.machine)
    for remark in job.remarks { note("note: \(steps?.spelled(in: remark) ?? remark)") }
  }

  /// Something worth knowing, on stderr.
  func note(_ sentence: String) {
    if !isQuiet { console.err.write("snapjob: \(Table.printable(spelled(sentence)))\n") }
  }

  /// A failure: a sentence on stderr, and with `--json` an object on stdout.
  func failure(_ failure: CommandFailure) {
    let failure = nextSteps.map(failure.spelled) ?? failure
    console.err.write("snapjob: \(Table.printable(failure.message))\n")
    json(failure.json)
  }

  /// The reply of a command that returns nothing: `{"return": {}}` with `--json`, else nothing.
  func acknowledge() {
    noteChange()
    json(["return": [:]])
  }

  /// Notes that something was changed, without a job.
  func noteChange() { completed.add("the change is made") }

  /// The end of a job that went well: the last line of stdout, which `--quiet` leaves out, or its
  /// `{"return": …}`.
  func end(_ job: JobView, _ sentence: String) {
    completed.add("job \(job.id) is done")
    if !isQuiet { self.sentence(sentence) }
    json(["return": job.info])
  }

  /// The failure of a run whose results could not be written, with what it has done all the same; nil if
  /// stdout took everything.
  func writeFailure() -> CommandFailure? {
    guard let problem = console.out.problem else { return nil }
    let done = completed.sentences.map { "; but \($0)" }.joined()
    return CommandFailure(.failed, "cannot write the output: \(problem)\(done)")
  }
}
