package import QMP
import Snapjob
import Synchronization

/// The program with nothing around it: an endpoint that its maker gives it, a user who says yes, no signals, no other
/// processes, no catalog.
package struct IsolatedProgram {
  private let surroundings: Surroundings
  private let out = KeptText()
  private let err = KeptText()

  /// Makes a program.
  ///
  /// - Parameters:
  ///   - endpoint: what every command talks to.
  ///   - environment: the environment variables.
  package init(_ endpoint: any QMPEndpoint, environment: [String: String]) {
    let console = Console(
      out: out, err: err, isInteractive: true, errorIsTerminal: true, width: { 80 },
      ask: { _ in "yes" })
    let host = Host(
      now: { 0 }, random: { 0 }, currentDirectory: .success("/"), name: "host",
      pollInterval: .microseconds(100))
    surroundings = Surroundings(
      console: console, environment: environment, userID: 1000, host: host,
      door: IsolatedDoor(endpoint: endpoint), signals: NoInterruptions(), spawner: NoSpawner())
  }

  /// Runs a command line.
  ///
  /// - Parameter arguments: the command line without the program's name.
  /// - Returns: the exit code and what was printed.
  package func run(_ arguments: [String]) async -> (status: Int32, out: String, err: String) {
    let status = await Program(surroundings).run(arguments)
    return (status.rawValue, out.text, err.text)
  }
}

private final class KeptText: TextSink {
  private let content = Mutex("")
  let problem: String? = nil

  func write(_ text: String) { content.withLock { $0 += text } }
  var text: String { content.withLock { $0 } }
}

private struct IsolatedDoor: Door {
  let endpoint: any QMPEndpoint

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    OpenDoor(endpoint: endpoint, close: {})
  }

  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService {
    OpenService(run: { $0() }, stop: { _ in }, close: {})
  }
}

private struct NoInterruptions: Interruptions {
  func take(_ receiver: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) {}
  func release() {}
  func onStatusRequest(_ receiver: (@Sendable () -> Void)?) {}
  func endProcess(_ status: ExitStatus) {}
}

private struct NoSpawner: WorkerSpawner {
  func run(_ arguments: [String]) throws(CommandFailure) -> ExitStatus { .done }
  func letGo(_ status: ExitStatus) {}
}
