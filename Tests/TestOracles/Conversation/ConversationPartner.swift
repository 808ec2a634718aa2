/// Somebody who answers QMP commands one at a time.
public protocol ConversationPartner {
  /// Executes one command.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - arguments: a JSON value as text; nil for none.
  /// - Returns: an object with `return` or `error`.
  /// - Throws: what keeps it from answering at all.
  func answer(_ command: String, _ arguments: String?) async throws -> JSONValue

  /// The events so far, oldest first.
  func events() async throws -> [JSONValue]
}

/// A server behind a socket: QEMU, or anything that speaks as it does.
public struct SocketPartner: ConversationPartner {
  private let qmp: QMPSocket

  /// Talks over a connection.
  public init(_ qmp: QMPSocket) { self.qmp = qmp }

  /// Executes one command.
  public func answer(_ command: String, _ arguments: String?) async throws -> JSONValue {
    let members = arguments.map { ", \"arguments\": \($0)" } ?? ""
    return try qmp.reply(to: "{\"execute\": \(JSONValue.quoted(command))\(members)}")
  }

  /// The events that came before the last reply.
  public func events() async throws -> [JSONValue] { qmp.events }
}
