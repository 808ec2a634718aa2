import Glibc

/// The program `snapjob`.
///
/// Its work is done by tasks; the main thread takes signals.
@main
struct Main {
  static func main() {
    secureStandardDescriptors()
    // Before anything starts a thread. A reader of our output that goes away must not end a job.
    let signals = SignalHandling()
    signal(SIGPIPE, SIG_IGN)
    tzset()
    let arguments = Array(CommandLine.arguments.dropFirst())
    // Detached: the main actor never runs, because its thread is busy with the signals.
    Task.detached { await run(arguments, signals) }
    signals.serve()
  }

  /// Opens what of descriptors 0 to 2 is closed. Else the next file to be opened, an image or the catalog,
  /// would get the number, and the program's output would go into it.
  private static func secureStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is the one that is missing.
      guard open("/dev/null", O_RDWR) == descriptor else { _exit(ExitStatus.failed.rawValue) }
    }
  }

  private nonisolated static func run(_ arguments: [String], _ signals: SignalHandling) async {
    let console = Console.standard()
    let surroundings = Surroundings(
      console: console, environment: Surroundings.processEnvironment(), userID: geteuid(),
      host: .current(), door: FrontDoor(), signals: signals, spawner: ProcessSpawner(signals))
    let status = await Program(surroundings).run(arguments)
    exit(status.rawValue)
  }
}
