import Jobs
public import QMP

extension Monitor {
  /// The signatures of all events that a monitor, or a server before it, emits.
  public static let eventSignatures = [
    EventSignature(
      "JOB_STATUS_CHANGE",
      [.required("id", .string), .required("status", .enumeration(JobRecord.statusSchema))]),
    EventSignature("MIGRATION", [.required("status", .enumeration(MigrationStatus.schema))]),
    EventSignature(
      "SHUTDOWN",
      [
        .required("guest", .boolean),
        .required(
          "reason",
          .enumeration(
            SchemaEnumeration("ShutdownCause", ShutdownCause.allCases.map(\.rawValue)))),
      ]),
    // Bytes done and to do of a command that was given "progress": true.
    EventSignature(
      "X_SNAPJOB_PROGRESS",
      [
        .required("command", .string), .nullable("target", .string),
        .required("current", .integer), .required("total", .integer),
      ]),
  ]
}

/// Why a monitor comes to its end (`ShutdownCause` of qapi/run-state.json).
enum ShutdownCause: String, Sendable, Hashable, CaseIterable {
  /// The command `quit`.
  case quit = "host-qmp-quit"
  /// A signal.
  case signal = "host-signal"
}

extension QMPEvent {
  /// The end of a monitor.
  init(_ cause: ShutdownCause) {
    self.init(
      name: "SHUTDOWN", data: ["guest": false, "reason": .string(cause.rawValue)],
      microseconds: Timestamp.now().microseconds)
  }
}

extension JobEvent {
  /// The event as QMP sends it.
  var message: QMPEvent {
    QMPEvent(
      name: "JOB_STATUS_CHANGE",
      data: ["id": .string(id.description), "status": .string(status.rawValue)],
      microseconds: time.microseconds)
  }
}
