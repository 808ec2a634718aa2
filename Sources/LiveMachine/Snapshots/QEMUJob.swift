import Jobs
import QMP

/// One job of QEMU, from its command to its dismissal.
struct QEMUJob: Sendable {
  /// How it ended.
  struct Outcome: Sendable {
    /// QEMU's sentence if it failed.
    let error: String?
    /// How long the guest stood still, in nanoseconds; nil if it did not, or still does.
    let pauseNanoseconds: Int64?
  }

  /// Its id in QEMU; nobody else's.
  let id: String
  private let monitor: any QMPEndpoint

  /// What our jobs are called in QEMU.
  private static let prefix = "snapjob-"

  /// Whether an event is about one of our jobs in QEMU.
  static func concerns(_ event: QMPEvent) -> Bool {
    event.name == "JOB_STATUS_CHANGE" && (event.data?.text("id").hasPrefix(prefix) ?? false)
  }

  /// - Parameters:
  ///   - id: its name; nil for a made-up one.
  ///   - monitor: where it runs.
  init(_ id: String?, on monitor: any QMPEndpoint) {
    self.monitor = monitor
    self.id = id ?? Self.prefix + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// Runs a command that starts a job, and waits for its end.
  ///
  /// - Parameters:
  ///   - command: `snapshot-save` and so on.
  ///   - arguments: without the id.
  /// - Returns: how it ended; QEMU has forgotten it then.
  /// - Throws: `QMPError` if QEMU did not begin, or went away.
  func run(_ command: String, _ arguments: [QMPValue.Member]) async throws(QMPError) -> Outcome {
    let events = monitor.events()
    _ = try await monitor.execute(command, .object([.init("job-id", .string(id))] + arguments))
    var stopped: Int64?
    var pause: Int64?
    for await event in events {
      switch event.name {
      case "STOP": stopped = event.microseconds
      case "RESUME":
        if let stopped, event.microseconds >= stopped {
          pause = (event.microseconds - stopped).multipliedReportingOverflow(by: 1000).partialValue
        }
      default: break
      }
      if event.name == "JOB_STATUS_CHANGE", event.data?.text("id") == id,
        event.data?.text("status") == "concluded"
      {
        break
      }
    }
    // The events end early for a reader who is too slow.
    let outcome = try await awaitEnd()
    return Outcome(error: outcome?.error, pauseNanoseconds: pause)
  }

  /// How often it is asked how a job fares whose events nobody has followed.
  private static let period = Duration.milliseconds(50)

  /// Waits for the end of a job that somebody else has started here.
  ///
  /// - Returns: how it ended; QEMU has forgotten it then. Nil if QEMU does not know it.
  /// - Throws: `QMPError` if QEMU went away.
  func awaitEnd() async throws(QMPError) -> Outcome? {
    while let job = try await state() {
      if job.text("status") == "concluded" {
        return Outcome(error: try await dismissed(job), pauseNanoseconds: nil)
      }
      try? await Task.sleep(for: Self.period)
    }
    return nil
  }

  /// What QEMU says of the job now; nil if it does not know it.
  func state() async throws(QMPError) -> QMPValue? {
    try await monitor.execute("query-jobs", nil).elements.first { $0.text("id") == id }
  }

  /// Has QEMU forget a job that has concluded.
  ///
  /// - Parameter job: what QEMU says of it.
  /// - Returns: QEMU's sentence if it failed.
  /// - Throws: `QMPError` if QEMU went away.
  func dismissed(_ job: QMPValue?) async throws(QMPError) -> String? {
    _ = try await monitor.execute("job-dismiss", ["id": .string(id)])
    return job?["error"]?.asText
  }
}
