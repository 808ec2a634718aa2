/// One message of a server as a client sees it.
public enum QMPServerMessage: Sendable, Hashable {
  /// The first message, and the capabilities that can be enabled.
  case greeting(version: QMPValue, capabilities: [String])
  /// The reply to the command with this id; nil if the server could not tell which.
  case reply(id: QMPValue?, Result<QMPValue, QMPError>)
  /// Something happened.
  case event(QMPEvent)

  /// Takes a message apart.
  ///
  /// - Parameter message: what the server sent.
  /// - Throws: ``QMPError`` if it is none of the messages that QMP knows.
  public init(_ message: QMPValue) throws(QMPError) {
    if let greeting = message["QMP"], let version = greeting["version"] {
      self = .greeting(version: version, capabilities: Self.texts(greeting["capabilities"]))
    } else if let value = message["return"] {
      self = .reply(id: message["id"], .success(value))
    } else if let error = message["error"] {
      self = .reply(id: message["id"], .failure(QMPError(message: error)))
    } else if case .string(let name) = message["event"] {
      self = .event(
        QMPEvent(
          name: name, data: message["data"], microseconds: Self.time(message["timestamp"])))
    } else {
      throw QMPError(.genericError, "This is no message of a QMP server: \(Self.excerpt(message))")
    }
  }

  private static func texts(_ list: QMPValue?) -> [String] {
    guard case .array(let elements) = list else { return [] }
    return elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
  }

  /// Zero for a server without a clock, and for times that a count of microseconds cannot hold.
  private static func time(_ timestamp: QMPValue?) -> Int64 {
    guard case .int(let seconds) = timestamp?["seconds"],
      case .int(let rest) = timestamp?["microseconds"], seconds >= 0, (0..<1_000_000).contains(rest)
    else { return 0 }
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (sum, carry) = whole.addingReportingOverflow(rest)
    return overflow || carry ? 0 : sum
  }

  /// Characters of a strange message that are shown.
  private static let excerptLength = 80

  private static func excerpt(_ message: QMPValue) -> String {
    String(message.jsonText.prefix(excerptLength))
  }
}

extension QMPError {
  /// The error of a reply; a class that QMP does not know counts as `GenericError`.
  fileprivate init(message: QMPValue) {
    func text(_ name: String) -> String? {
      if case .string(let text) = message[name] { text } else { nil }
    }
    self.init(
      text("class").flatMap(Class.init) ?? .genericError, text("desc") ?? message.jsonText,
      kind: text(QMPCapability.failureKindMember))
  }
}
