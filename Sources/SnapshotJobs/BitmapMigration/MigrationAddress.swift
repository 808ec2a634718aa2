public import Jobs

/// Where a migration goes to or comes from, as the commands `migrate` and `migrate-incoming` name it.
public enum MigrationAddress: Sendable, Hashable, CustomStringConvertible {
  /// A UNIX socket.
  case unix(path: String)
  /// A TCP port of this computer; nobody else can listen to what goes over it.
  case tcp(host: String, port: UInt16)
  /// A file with the stream.
  case file(path: String)

  /// Reads an address.
  ///
  /// - Parameter uri: `unix:PATH`, `tcp:HOST:PORT` or `file:PATH`; an IPv6 address in brackets.
  /// - Throws: `JobError` (usage): QEMU's text for what is no address, and what to do instead of an address
  ///   that QEMU has and snapjob has not.
  public init(_ uri: String) throws(JobError) {
    guard let colon = uri.utf8.firstIndex(of: UInt8(ascii: ":")) else {
      throw Self.invalid
    }
    let rest = String(uri[uri.utf8.index(after: colon)...])
    switch uri[..<colon] {
    case "unix" where !rest.isEmpty: self = .unix(path: rest)
    case "file" where !rest.isEmpty: self = .file(path: rest)
    case "tcp": self = try Self.tcp(rest)
    case "exec":
      throw JobError(
        .usage,
        "exec: is not supported: snapjob runs no programs. Use unix:PATH with a program that passes it "
          + "on (ssh -L, socat), or file:PATH")
    case "fd":
      throw JobError(
        .usage, "fd: is not supported: snapjob takes no descriptors. Use unix:PATH or file:PATH")
    case "rdma", "vsock":
      throw JobError(
        .usage, "\(uri[..<colon]): is not supported. Use unix:PATH, tcp:HOST:PORT or file:PATH")
    default: throw Self.invalid
    }
  }

  private static let invalid = JobError(
    .usage,
    "Parameter 'uri' expects a valid migration protocol: unix:PATH, tcp:HOST:PORT or file:PATH")

  private static func tcp(_ text: String) throws(JobError) -> MigrationAddress {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      port > 0
    else {
      throw JobError(.usage, "'tcp:\(text)' is no TCP address. Write tcp:HOST:PORT")
    }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard isLoopback(host) else {
      throw JobError(
        .refused,
        "tcp:\(text): only localhost, 127.0.0.1 and ::1, as the stream is not encrypted. From one host "
          + "to another take a tunnel: ssh -L PORT:localhost:PORT HOST")
    }
    return .tcp(host: String(host), port: port)
  }

  private static func isLoopback(_ host: Substring) -> Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }

  /// The address as it is written.
  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port):
      host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
    case .file(let path): "file:\(path)"
    }
  }
}
