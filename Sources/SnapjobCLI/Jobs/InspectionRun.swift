import QMP
import Synchronization

/// Runs a command that looks into images and may take long: shows how far it is, and tells it on SIGUSR1.
struct InspectionRun {
  /// The word for it: `verify`.
  let title: String
  let session: Session

  /// Executes a command of the endpoint.
  ///
  /// - Parameters:
  ///   - command: takes an argument `progress`.
  ///   - arguments: its other arguments.
  ///   - endpoint: where.
  /// - Returns: the reply.
  /// - Throws: `QMPError`: the endpoint's.
  func execute(
    _ command: String, _ arguments: QMPValue, on endpoint: any QMPEndpoint
  ) async throws(QMPError) -> QMPValue {
    let events = endpoint.events()
    let (title, output) = (title, session.output)
    let place = InspectionPlace(title)
    let signals = session.surroundings.signals
    signals.onStatusRequest { output.console.err.write(place.sentence + "\n") }
    let showing = Task {
      var display = ProgressDisplay(title: title, output: output)
      let started = ContinuousClock.now
      for await event in events where event.isProgress(of: command) {
        place.update(event)
        if Task.isCancelled { break }
        let (current, total) = place.amounts
        display.update(current: current, total: total, elapsed: ContinuousClock.now - started)
      }
      display.clear()
    }
    let members = arguments.members + [QMPValue.Member("progress", true)]
    var reply = await endpoint.reply(to: command, .object(members))
    // A server of an earlier version does not know the member.
    if case .failure(let error) = reply, error.desc == "Parameter 'progress' is unexpected" {
      reply = await endpoint.reply(to: command, arguments)
    }
    signals.onStatusRequest(nil)
    showing.cancel()
    await showing.value
    return try reply.get()
  }
}

extension QMPEndpoint {
  fileprivate func reply(
    to command: String, _ arguments: QMPValue
  ) async -> Result<QMPValue, QMPError> {
    do throws(QMPError) {
      return .success(try await execute(command, arguments))
    } catch {
      return .failure(error)
    }
  }
}

/// Where a command is that looks into images.
private final class InspectionPlace: Sendable {
  private struct State {
    var current: Int64 = 0
    var total: Int64 = 0
    var target: String?
  }

  private let title: String
  private let state = Mutex(State())

  init(_ title: String) { self.title = title }

  /// Takes in an event.
  func update(_ event: QMPEvent) {
    state.withLock {
      $0.current = event.data?.integer("current") ?? 0
      $0.total = event.data?.integer("total") ?? 0
      $0.target = event.data?["target"]?.asText
    }
  }

  /// Bytes done, and to do.
  var amounts: (current: Int64, total: Int64) { state.withLock { ($0.current, $0.total) } }

  /// For people.
  var sentence: String {
    let state = state.withLock { $0 }
    let subject = state.target.map { "\(title): \(Table.printable($0))" } ?? title
    guard state.total > 0 else { return "\(subject): it has begun" }
    return "\(subject): \(Quantity.bytes(state.current)) of \(Quantity.bytes(state.total))"
  }
}

extension QMPEvent {
  fileprivate func isProgress(of command: String) -> Bool {
    name == "X_SNAPJOB_PROGRESS" && data?.text("command") == command
  }
}
