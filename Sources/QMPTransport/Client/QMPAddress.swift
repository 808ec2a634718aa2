import FileNames
public import QMP

/// Where a QMP server listens.
public enum QMPAddress: Sendable, Hashable, CustomStringConvertible {
  /// A UNIX socket.
  case unix(path: String)
  /// A TCP port of a host.
  case tcp(host: String, port: Int)

  /// Reads an address.
  ///
  /// - Parameter text: `unix:PATH` or `tcp:HOST:PORT`; an IPv6 address in brackets.
  /// - Throws: `QMPError` of kind `usage` for anything else.
  public init(_ text: String) throws(QMPError) {
    if let path = text.suffix(after: "unix:"), !path.isEmpty {
      self = .unix(path: path)
      return
    }
    if text.hasPrefix("tcp:"), let colon = text.lastIndex(of: ":"),
      let port = UInt16(text[text.index(after: colon)...]), port > 0
    {
      var host = text[..<colon].dropFirst("tcp:".count)
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      if !host.isEmpty {
        self = .tcp(host: String(host), port: Int(port))
        return
      }
    }
    throw QMPError(
      .genericError, "'\(text)' is no address of a QMP server. Write unix:PATH or tcp:HOST:PORT",
      kind: "usage")
  }

  /// The address as it is written.
  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port):
      host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
    }
  }
}
