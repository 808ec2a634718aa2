import FileNames
import Glibc

/// The program `snapjob`, whose executable does nothing else.
///
/// Its work is done by tasks; the main thread takes signals.
package enum EntryPoint {
  /// Runs the program with the process's arguments, to its end.
  package static func main() -> Never {
    secureStandardDescriptors()
    // Before anything starts a thread. A reader of our output that goes away must not end a job.
    let signals = SignalHandling()
    signal(SIGPIPE, SIG_IGN)
    tzset()
    let arguments = Array(processArguments().dropFirst())
    // Detached: the main actor never runs, because its thread is busy with the signals.
    Task.detached { await run(arguments, signals) }
    signals.serve()
  }

  /// Takes the numbers of descriptors 0 to 2 that are closed. Else the next file to be opened, an image or the
  /// catalog, would get the number, and the program's output would go into it.
  ///
  /// What is read or written there fails as it does on a closed descriptor: each is opened the other way round.
  private static func secureStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is the one that is missing.
      let mode = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY
      guard open("/dev/null", mode) == descriptor else { _exit(ExitStatus.failed.rawValue) }
    }
  }

  private nonisolated static func run(_ arguments: [String], _ signals: SignalHandling) async {
    let console = Console.standard()
    let surroundings = Surroundings(
      console: console, environment: processEnvironment(), userID: geteuid(),
      host: .current(), door: FrontDoor(), signals: signals, spawner: ProcessSpawner(signals))
    let status = await Program(surroundings).run(arguments)
    exit(status.rawValue)
  }
}
