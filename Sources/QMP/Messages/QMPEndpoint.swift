/// Something that executes QMP commands and emits QMP events: the monitor in this process, or a
/// server behind a socket. One endpoint is one machine.
public protocol QMPEndpoint: Sendable {
  /// Executes one command and waits for its reply.
  ///
  /// - Parameters:
  ///   - command: the name, as in `execute`.
  ///   - arguments: an object, or nil for none.
  /// - Returns: the value of `return`; an empty object for commands that return nothing.
  /// - Throws: the value of `error`.
  func execute(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue

  /// The events from now on, in order. The stream ends when the endpoint closes, or when its reader
  /// is so slow that its buffer is full.
  func events() -> AsyncStream<QMPEvent>
}

/// An asynchronous message of a server.
public struct QMPEvent: Sendable, Hashable {
  /// Its name, `JOB_STATUS_CHANGE` for example.
  public let name: String
  /// Its data; nil for events without.
  public let data: QMPValue?
  /// When it happened, in microseconds since 1970-01-01T00:00:00Z.
  public let microseconds: Int64

  /// Makes an event.
  public init(name: String, data: QMPValue?, microseconds: Int64) {
    self.name = name
    self.data = data
    self.microseconds = microseconds
  }

  /// The event as it goes over the wire (QMP specification, "Asynchronous events").
  public var message: QMPValue {
    let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    let timestamp: QMPValue = ["seconds": .int(seconds), "microseconds": .int(rest)]
    var members = [
      QMPValue.Member("timestamp", timestamp), QMPValue.Member("event", .string(name)),
    ]
    if let data { members.append(.init("data", data)) }
    return .object(members)
  }
}

/// The `error` of a reply.
public struct QMPError: Error, Sendable, Hashable {
  /// QMP's error classes.
  public enum Class: String, Sendable, Hashable {
    /// Almost everything.
    case genericError = "GenericError"
    /// No such command, or not now.
    case commandNotFound = "CommandNotFound"
    /// A device is not active.
    case deviceNotActive = "DeviceNotActive"
    /// A device does not exist.
    case deviceNotFound = "DeviceNotFound"
    /// A host lacks KVM.
    case kvmMissingCap = "KVMMissingCap"
  }

  /// The class.
  public let errorClass: Class
  /// The sentence.
  public let desc: String
  /// The kind of failure in snapjob's own terms (the raw value of `FailureKind`), known where the
  /// endpoint is snapjob; nil from other servers.
  public let kind: String?

  /// Makes an error.
  public init(_ errorClass: Class = .genericError, _ desc: String, kind: String? = nil) {
    self.errorClass = errorClass
    self.desc = desc
    self.kind = kind
  }
}
