import FileNames
import Glibc
import Synchronization

/// Somewhere to write text.
protocol TextSink: Sendable {
  /// Writes text; a failure is remembered, not thrown, because a job must not stop for it.
  func write(_ text: String)

  /// The system's text for the first failure; nil if there was none, or if only the reader went away, which
  /// is no failure.
  var problem: String? { get }
}

/// What the program reads and writes.
struct Console: Sendable {
  /// Standard output.
  let out: any TextSink
  /// Standard error.
  let err: any TextSink
  /// Whether there is somebody to ask: standard input is a terminal, wherever the other two lead.
  let isInteractive: Bool
  /// Whether standard error is a terminal.
  let errorIsTerminal: Bool
  /// The terminal's width in columns.
  let width: @Sendable () -> Int
  /// Asks on the terminal and gives the line that is answered; nil at the end of input.
  let ask: @Sendable (_ question: String) throws(CommandFailure) -> String?

  /// The process's own.
  static func standard() -> Console {
    Console(
      out: DescriptorSink(STDOUT_FILENO), err: DescriptorSink(STDERR_FILENO),
      isInteractive: isatty(STDIN_FILENO) == 1,
      errorIsTerminal: isatty(STDERR_FILENO) == 1,
      width: {
        var size = winsize()
        let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return known ? Int(size.ws_col) : 80
      },
      ask: ControllingTerminal.ask)
  }
}

/// A file descriptor to write text to.
final class DescriptorSink: TextSink {
  private let descriptor: Int32
  private let failure = Mutex<Int32>(0)

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func write(_ text: String) {
    failure.withLock { failure in
      guard failure == 0 else { return }
      var rest = Array(text.printedFileNames.utf8)[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 {
          rest = rest.dropFirst(count)
        } else if errno != EINTR {
          failure = errno
          return
        }
      }
    }
  }

  var problem: String? {
    failure.withLock { code in
      code == 0 || code == EPIPE ? nil : String(cString: strerror(code))
    }
  }
}
