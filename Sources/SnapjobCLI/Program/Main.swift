import Glibc

/// The program `snapjob`.
@main
struct Main {
  static func main() async {
    // Before anything starts a thread: signals are taken by one thread, and a reader of our output
    // that goes away must not end a job.
    let signals = SignalHandling()
    signal(SIGPIPE, SIG_IGN)
    tzset()
    let console = Console.standard()
    let surroundings = Surroundings(
      console: console, environment: Surroundings.processEnvironment(), userID: geteuid(),
      host: .current(), door: EngineDoor(), signals: signals, spawner: ProcessSpawner(signals))
    var status = await Program(surroundings).run(Array(CommandLine.arguments.dropFirst()))
    if status == .done, let problem = console.outputProblem() {
      console.err.write("snapjob: cannot write the output: \(problem)\n")
      status = .failed
    }
    exit(status.rawValue)
  }
}
