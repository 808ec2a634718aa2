import Glibc

/// The program `snapjob`.
///
/// Its work is done by tasks; the main thread takes signals.
@main
struct Main {
  static func main() {
    // Before anything starts a thread. A reader of our output that goes away must not end a job.
    let signals = SignalHandling()
    signal(SIGPIPE, SIG_IGN)
    tzset()
    let arguments = Array(CommandLine.arguments.dropFirst())
    // Detached: the main actor never runs, because its thread is busy with the signals.
    Task.detached { await run(arguments, signals) }
    signals.serve()
  }

  private nonisolated static func run(_ arguments: [String], _ signals: SignalHandling) async {
    let console = Console.standard()
    let surroundings = Surroundings(
      console: console, environment: Surroundings.processEnvironment(), userID: geteuid(),
      host: .current(), door: FrontDoor(), signals: signals, spawner: ProcessSpawner(signals))
    var status = await Program(surroundings).run(arguments)
    if status == .done, let problem = console.outputProblem() {
      console.err.write("snapjob: cannot write the output: \(problem)\n")
      status = .failed
    }
    exit(status.rawValue)
  }
}
