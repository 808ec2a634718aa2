import Dispatch
import Glibc
import QMP

/// A socket whose other end is a pair of descriptors of whatever kind: terminals, pipes, files.
///
/// Two threads copy the bytes. The end of the input closes only that direction, so that what was asked
/// for is still answered.
struct PipeBridge: Sendable {
  /// The socket; it belongs to whoever takes it.
  let descriptor: CInt
  private let output = DispatchQueue(label: "snapjob.pipe.output")
  private let copied = DispatchGroup()

  /// Starts copying.
  ///
  /// - Throws: `QMPError` if no sockets can be made.
  init(input: CInt, output: CInt) throws(QMPError) {
    var ends: [CInt] = [-1, -1]
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw .socket(errno, "make a pair of sockets", "standard input and output")
    }
    descriptor = ends[0]
    let inner = ends[1]
    DispatchQueue(label: "snapjob.pipe.input").async {
      Self.copy(from: input, to: inner)
      _ = shutdown(inner, CInt(SHUT_WR))
    }
    self.output.async(group: copied) {
      Self.copy(from: inner, to: output)
      // Whoever still writes to us has nobody to read his words.
      _ = shutdown(inner, CInt(SHUT_RD))
    }
  }

  /// Waits until everything that the socket said is written out.
  ///
  /// - Parameters:
  ///   - limit: how long somebody who does not read is waited for once the server is stopped.
  ///   - isStopped: whether it is.
  func finish(
    within limit: Duration, ofStop isStopped: @escaping @Sendable () -> Bool
  ) async {
    let (copying, end) = AsyncStream.makeStream(of: Never.self)
    copied.notify(queue: .global()) { end.finish() }
    let impatience = Task {
      while !isStopped() { try await Task.sleep(for: .milliseconds(50)) }
      try await Task.sleep(for: limit)
      end.finish()
    }
    for await _ in copying {}
    impatience.cancel()
  }

  private static func copy(from source: CInt, to target: CInt) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(source, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      var done = 0
      while done < count {
        let written = buffer[done..<count].withUnsafeBytes {
          write(target, $0.baseAddress, $0.count)
        }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { return }
        done += written
      }
    }
  }
}
