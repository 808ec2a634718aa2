import Glibc
import NIOCore
import NIOPosix
import QMP

extension QMPError {
  /// Why a connection could not be made.
  ///
  /// - Parameters:
  ///   - error: what went wrong.
  ///   - address: where.
  ///   - limit: how long it was tried.
  init(connecting error: any Error, to address: QMPAddress, within limit: Duration) {
    if let error = error as? QMPError {
      self = error
      return
    }
    switch Self.number(of: error) {
    case EAGAIN: self = .silence(of: address, after: limit)
    case EACCES, EPERM:
      self.init(
        .genericError, "\(address): no permission to connect. Ask as the server's user, or as root",
        kind: "permission")
    case .some(let number):
      self = .connection(address, "cannot connect: \(String(cString: strerror(number)))")
    case nil:
      self = .connection(address, "cannot connect: \(error)")
    }
  }

  /// Whether a connection failed because there is no socket, or nobody who listens at it any more.
  static func meansNobodyListens(_ error: any Error) -> Bool {
    [ENOENT, ECONNREFUSED].contains(number(of: error))
  }

  /// Whether a connection failed because as many clients as there may be wait at a UNIX socket already.
  static func meansCrowd(_ error: any Error) -> Bool { number(of: error) == EAGAIN }

  /// A server that accepts a connection and does not greet serves somebody else.
  static func silence(of address: QMPAddress, after limit: Duration) -> QMPError {
    var text = "no greeting within \(limit.components.seconds) s: another client has this monitor"
    if case .unix(let path) = address {
      let holders = SocketPeers.clients(of: path).map { "\($0.name) (pid \($0.pid))" }
      text +=
        holders.isEmpty
        ? ", or the server is too busy to answer" : ": \(holders.joined(separator: ", "))"
    }
    return .connection(address, text)
  }

  /// The system's number for a failed connection; of several attempts that of the last.
  private static func number(of error: any Error) -> CInt? {
    switch error {
    case let error as IOError: error.errnoCode
    case let error as NIOConnectionError:
      error.connectionErrors.last.flatMap { number(of: $0.error) }
    default: nil
    }
  }
}
