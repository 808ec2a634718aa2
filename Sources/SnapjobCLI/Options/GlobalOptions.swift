import ArgumentParser

/// How progress is shown on stderr.
enum ProgressMode: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// A bar, if stderr is a terminal.
  case auto
  /// A line now and then, wherever stderr leads.
  case plain
  /// Not at all.
  case none
}

/// The options that every command accepts, before and after its name.
struct GlobalOptions: ParsableArguments, Sendable {
  @Option(
    help: ArgumentHelp(
      "The catalog's database file.",
      discussion: """
        Default: SNAPJOB_CATALOG, else /var/lib/snapjob/catalog.sqlite for root and \
        $XDG_STATE_HOME/snapjob/catalog.sqlite (~/.local/state/...) for others.
        """,
      valueName: "path"),
    completion: .file())
  var catalog: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The machine. Default: SNAPJOB_MACHINE, else default.", valueName: "name"))
  var machine: String?

  @Option(
    help: ArgumentHelp(
      "Let a server do the work: unix:PATH or tcp:HOST:PORT of a snapjob serve.",
      discussion: """
        query-jobs, job and qmp work with any QMP server, QEMU for example. Default: \
        SNAPJOB_CONNECT, else the engine in this process.
        """,
      valueName: "address"))
  var connect: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait for a held image or a busy machine. Default: SNAPJOB_WAIT_LOCK, else 0.",
      valueName: "seconds"))
  var waitLock: Seconds?

  @Flag(help: "Print JSON on stdout.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print results only, no notes.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Tell more on stderr: each status of a job.")
  var verbose = false

  @Option(
    help: ArgumentHelp("Progress on stderr: auto (a bar on a terminal), plain (lines), none."))
  var progress: ProgressMode = .auto

  func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose exclude each other") }
  }
}
