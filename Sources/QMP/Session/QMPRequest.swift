/// One command as a client sent it.
public struct QMPRequest: Sendable, Hashable {
  /// The command's name.
  public let command: String
  /// The value of `arguments`, an object; nil for none.
  public let arguments: QMPValue?
  /// The value of `id`, which goes back with the reply; nil for none.
  public let id: QMPValue?
  /// Whether it came as `exec-oob`: it does not wait for the commands before it.
  public let isOutOfBand: Bool
  /// Whether the client wants to know the kind of a failure (``QMPCapability/failureKind``).
  let namesFailureKinds: Bool

  /// Makes a request.
  public init(
    _ command: String, _ arguments: QMPValue? = nil, id: QMPValue? = nil, isOutOfBand: Bool = false
  ) {
    self.init(command, arguments, id: id, isOutOfBand: isOutOfBand, namesFailureKinds: false)
  }

  init(
    _ command: String, _ arguments: QMPValue?, id: QMPValue?, isOutOfBand: Bool,
    namesFailureKinds: Bool
  ) {
    self.command = command
    self.arguments = arguments
    self.id = id
    self.isOutOfBand = isOutOfBand
    self.namesFailureKinds = namesFailureKinds
  }

  /// The reply to it (QMP specification, "Commands Responses").
  public func reply(_ result: Result<QMPValue, QMPError>) -> QMPValue {
    QMPReply.value(result, id: id, namesFailureKind: namesFailureKinds)
  }

  /// The message that asks for it.
  public var message: QMPValue {
    var members = [
      QMPValue.Member(isOutOfBand ? "exec-oob" : "execute", .string(command))
    ]
    if let arguments { members.append(.init("arguments", arguments)) }
    if let id { members.append(.init("id", id)) }
    return .object(members)
  }
}

/// The shapes of a server's replies.
enum QMPReply {
  /// `{"return": …}` or `{"error": …}`, with the request's id if it is known.
  static func value(
    _ result: Result<QMPValue, QMPError>, id: QMPValue?, namesFailureKind: Bool = false
  ) -> QMPValue {
    var members: [QMPValue.Member]
    switch result {
    case .success(let value): members = [.init("return", value)]
    case .failure(let error):
      var parts: [QMPValue.Member] = [
        .init("class", .string(error.errorClass.rawValue)), .init("desc", .string(error.desc)),
      ]
      if namesFailureKind, let kind = error.kind {
        parts.append(.init(QMPCapability.failureKindMember, .string(kind)))
      }
      members = [.init("error", .object(parts))]
    }
    if let id { members.append(.init("id", id)) }
    return .object(members)
  }
}

extension QMPRequest {
  /// Takes a message apart, as QEMU's `qmp_dispatch_check_obj` does.
  ///
  /// - Parameters:
  ///   - message: what the client sent.
  ///   - allowsOutOfBand: whether `exec-oob` is a member that messages may have.
  ///   - namesFailureKinds: whether the client wants to know the kind of a failure.
  /// - Throws: ``QMPError`` with QEMU's text for the first member that is wrong.
  init(
    _ message: QMPValue, allowsOutOfBand: Bool, namesFailureKinds: Bool = false
  ) throws(QMPError) {
    guard case .object(let members) = message else {
      throw QMPError(.genericError, "QMP input must be a JSON object")
    }
    var execution: (member: String, command: String)?
    for member in members {
      switch member.name {
      case "execute", "exec-oob":
        guard member.name == "execute" || allowsOutOfBand else {
          throw QMPError(.genericError, "QMP input member '\(member.name)' is unexpected")
        }
        if let first = execution {
          throw QMPError(
            .genericError, "QMP input member '\(member.name)' clashes with '\(first.member)'")
        }
        guard case .string(let command) = member.value else {
          throw QMPError(.genericError, "QMP input member '\(member.name)' must be a string")
        }
        execution = (member.name, command)
      case "arguments":
        guard case .object = member.value else {
          throw QMPError(.genericError, "QMP input member 'arguments' must be an object")
        }
      case "id": break
      default: throw QMPError(.genericError, "QMP input member '\(member.name)' is unexpected")
      }
    }
    guard let execution else { throw QMPError(.genericError, "QMP input lacks member 'execute'") }
    self.init(
      execution.command, message["arguments"], id: message["id"],
      isOutOfBand: execution.member == "exec-oob", namesFailureKinds: namesFailureKinds)
  }
}
