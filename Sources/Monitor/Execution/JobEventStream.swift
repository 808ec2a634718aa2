import FileNames
import Jobs
import QMP

/// Turns the status changes of all jobs into the events of one machine, with what the monitor
/// announces between them.
struct JobEventStream {
  /// A reader who leaves this many events unread is cut off.
  private static let capacity = 1024

  let context: CommandContext
  let isUnfiltered: Bool

  /// Follows from this moment on.
  func start() -> AsyncStream<QMPEvent> {
    let source = context.services.runner.events()
    let (stream, continuation) = AsyncStream.makeStream(
      of: QMPEvent.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    let announcements = context.announcements
    let listener = announcements.add(continuation)
    let task = Task(executorPreference: BlockingExecutor.shared) {
      var known: [JobID: Bool] = [:]
      for await event in source where concerns(event, &known) {
        guard case .enqueued = continuation.yield(event.message) else { break }
      }
      continuation.finish()
    }
    continuation.onTermination = { _ in
      announcements.remove(listener)
      task.cancel()
    }
    return stream
  }

  /// Whether an event is of this machine. `known` remembers the answer for a job's whole life: once
  /// it is dismissed it cannot be looked up any more.
  private func concerns(_ event: JobEvent, _ known: inout [JobID: Bool]) -> Bool {
    if isUnfiltered { return true }
    let isOurs: Bool
    if let answer = known[event.id], event.status != .created {
      isOurs = answer
    } else {
      isOurs = context.isOwn(event.id)
    }
    known[event.id] = event.status == .null ? nil : isOurs
    return isOurs
  }
}

extension CommandContext {
  /// Whether a job is on this monitor's machine; on a one-off machine, whether it was started here.
  fileprivate func isOwn(_ id: JobID) -> Bool {
    guard let machineName else { return ownJobs.contains(id) }
    let live = try? services.runner.jobs().first { $0.id == id }
    let record =
      live ?? (try? services.history.history(subject: nil, allSubjects: true, id: id))?.first
    return record?.subject?.hasSameBytes(as: machineName) == true
  }
}
