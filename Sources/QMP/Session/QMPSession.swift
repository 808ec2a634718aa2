/// One client's conversation as the server sees it: negotiation, then commands.
///
/// A value without sockets: what came in goes in, what to do comes out. Texts and the order of checks are
/// QEMU's (QMP specification, "Capabilities Negotiation"; qapi/qmp-dispatch.c).
public struct QMPSession: Sendable {
  /// What to do about something that a client sent.
  public enum Action: Sendable, Hashable {
    /// Send this; nothing is to be executed.
    case reply(QMPValue)
    /// Send this; from now on the client gets events.
    case begin(QMPValue)
    /// Execute this, and send the reply.
    case execute(QMPRequest)
  }

  private enum Mode: Sendable {
    case negotiation
    case commands(Set<QMPCapability>)
  }

  private let commands: [String: CommandSignature]
  private var mode = Mode.negotiation

  /// Starts a conversation.
  ///
  /// - Parameter commands: what the server has; only their names and whether they may be executed out of
  ///   band matter here.
  public init(commands: [CommandSignature]) {
    self.commands = Dictionary(
      commands.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether the client is through with the negotiation.
  public var isNegotiated: Bool {
    if case .commands = mode { true } else { false }
  }

  /// Commands that may wait while one is executed: with out-of-band execution as many as in QEMU
  /// (`QMP_REQ_QUEUE_LEN_MAX`), otherwise none.
  public var queueLimit: Int {
    isEnabled(.outOfBand) ? 8 : 1
  }

  /// Whether the client has enabled a capability.
  public func isEnabled(_ capability: QMPCapability) -> Bool {
    if case .commands(let enabled) = mode { enabled.contains(capability) } else { false }
  }

  /// What a server says first.
  ///
  /// - Parameter version: what `query-version` returns.
  /// - Returns: the greeting.
  public static func greeting(version: QMPValue) -> QMPValue {
    let capabilities = QMPCapability.allCases.map { QMPValue.string($0.rawValue) }
    return ["QMP": ["version": version, "capabilities": .array(capabilities)]]
  }

  /// Takes what the client sent.
  ///
  /// - Parameter input: a value, or what kept the reader from making one out of the bytes.
  /// - Returns: what to do.
  public mutating func receive(_ input: Result<QMPValue, QMPError>) -> Action {
    let message: QMPValue
    switch input {
    case .success(let value): message = value
    case .failure(let error): return .reply(QMPReply.value(.failure(error), id: nil))
    }
    do throws(QMPError) {
      return try take(message)
    } catch {
      return .reply(QMPReply.value(.failure(error), id: message["id"]))
    }
  }

  private mutating func take(_ message: QMPValue) throws(QMPError) -> Action {
    switch mode {
    case .negotiation:
      let request = try QMPRequest(message, allowsOutOfBand: false)
      guard request.command == Self.negotiation.name else {
        throw QMPError(
          .commandNotFound, "Expecting capabilities negotiation with 'qmp_capabilities'")
      }
      let arguments = try Self.negotiation.check(request.arguments)
      let enabled = arguments.strings(ifPresent: "enable") ?? []
      mode = .commands(Set(enabled.compactMap(QMPCapability.init)))
      return .begin(request.reply(.success([:])))

    case .commands(let enabled):
      let request = try QMPRequest(
        message, allowsOutOfBand: enabled.contains(.outOfBand),
        namesFailureKinds: enabled.contains(.failureKind))
      guard request.command != Self.negotiation.name else {
        throw QMPError(
          .commandNotFound, "Capabilities negotiation is already complete, command ignored")
      }
      if request.isOutOfBand, let signature = commands[request.command], !signature.allowsOutOfBand
      {
        throw QMPError(.genericError, "The command \(request.command) does not support OOB")
      }
      return .execute(request)
    }
  }

  /// `qmp_capabilities`, the only command before the others.
  private static let negotiation = CommandSignature(
    "qmp_capabilities",
    [
      .optional(
        "enable",
        .array(
          .enumeration(
            SchemaEnumeration("QMPCapability", QMPCapability.allCases.map(\.rawValue)))))
    ])
}
