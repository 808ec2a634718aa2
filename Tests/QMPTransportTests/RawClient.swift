import Glibc
import TestOracles

/// A client of bytes and lines. Its waits leave Swift's threads to others.
final class RawClient: Sendable {
  private let descriptor: CInt
  private let rest = PendingBytes()

  init(path: String) async throws {
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    descriptor = socket(AF_UNIX, type | CInt(SOCK_NONBLOCK.rawValue), 0)
    for _ in 0..<1000 {
      if Self.address(path, { connect(descriptor, $0, $1) }) == 0 { return }
      // The backlog of a busy server is full now and then.
      guard errno == EAGAIN else { break }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw OracleError("cannot connect to \(path): errno \(errno)")
  }

  deinit { close(descriptor) }

  /// Binds a socket to a path.
  static func bind(_ descriptor: CInt, _ path: String) -> Bool {
    address(path) { Glibc.bind(descriptor, $0, $1) } == 0
  }

  private static func address(
    _ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) -> CInt {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  func write(_ bytes: [UInt8]) async throws {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count > 0 {
        done += count
      } else {
        guard errno == EAGAIN else { throw OracleError("cannot write: errno \(errno)") }
        try await Task.sleep(for: .milliseconds(5))
      }
    }
  }

  func endWriting() { _ = shutdown(descriptor, CInt(SHUT_WR)) }

  /// The next lines, without their CRLF; fewer if the server closes the connection.
  func lines(_ count: Int) async throws -> [String] {
    var found: [String] = []
    var idle = 0
    while found.count < count {
      if let line = rest.takeLine() {
        found.append(line)
        continue
      }
      switch receive() {
      case .bytes: idle = 0
      case .end: return found
      case .nothing:
        idle += 1
        guard idle < 4_000 else {
          throw OracleError("the server says nothing more after \(found)")
        }
        try await Task.sleep(for: .milliseconds(5))
      }
    }
    return found
  }

  /// Whether the server has closed the connection, behind whatever is unread.
  func isCutOff() async throws -> Bool {
    for _ in 0..<2_000 {
      switch receive() {
      case .end: return true
      case .bytes: continue
      case .nothing: try await Task.sleep(for: .milliseconds(5))
      }
    }
    return false
  }

  private enum Reception { case bytes, nothing, end }

  private func receive() -> Reception {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count > 0 {
      rest.append(buffer[..<count])
      return .bytes
    }
    return count < 0 && errno == EAGAIN ? .nothing : .end
  }
}
