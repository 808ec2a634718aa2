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

  init(console: Console, globals: GlobalOptions) {
    self.console = console
    isJSON = globals.json
    isQuiet = globals.quiet
    isVerbose = globals.verbose
    progress = globals.progress
  }

  private init(console: Console, progress: ProgressMode) {
    self.console = console
    isJSON = false
    isQuiet = false
    isVerbose = false
    self.progress = progress
  }

  /// The same for a step of a command whose results are not the command's: no JSON.
  func silenced() -> Output { Output(console: console, progress: isQuiet ? .none : progress) }

  /// A line of a result, for people; nothing with `--json`.
  func line(_ text: String) {
    if !isJSON { console.out.write(text + "\n") }
  }

  /// A line of JSON; nothing without `--json`.
  func json(_ value: QMPValue) {
    if isJSON { console.out.write(value.jsonText + "\n") }
  }

  /// A table, for people; nothing with `--json`.
  func table(_ table: Table) {
    if !isJSON { console.out.write(table.text) }
  }

  /// Something worth knowing, on stderr.
  func note(_ sentence: String) {
    if !isQuiet { console.err.write("snapjob: \(sentence)\n") }
  }

  /// A failure: a sentence on stderr, and with `--json` an object on stdout.
  func failure(_ failure: CommandFailure) {
    console.err.write("snapjob: \(failure.message)\n")
    json(failure.json)
  }

  /// The reply of a command that returns nothing: `{"return": {}}` with `--json`, else nothing.
  func acknowledge() { json(["return": [:]]) }
}
