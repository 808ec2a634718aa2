import FileNames
private import Glibc
internal import Jobs
internal import Qcow2
private import SystemPackage

/// What a device state is written to.
protocol StateOutput: Sendable {
  /// Appends bytes.
  func write(_ bytes: RawSpan) throws(JobError)

  /// Makes the content durable, where that means something.
  func synchronize() throws(JobError)

  /// Lets others have it under its name.
  func publish() throws(JobError)
}

/// A FIFO or a character device, which gets the bytes as they come.
final class SpecialFile: StateOutput {
  private let path: String
  private let descriptor: CInt
  private let control: JobControl

  /// What a path leads to, if it is such a file: to be written to, never replaced.
  static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    return [S_IFIFO, S_IFCHR].contains(status.st_mode & S_IFMT)
  }

  /// Opens it; waits for somebody to read a FIFO.
  ///
  /// - Throws: `JobError` with QEMU's text if it cannot be opened, and if the job is cancelled meanwhile.
  init(_ path: String, _ control: JobControl) throws(JobError) {
    self.path = path
    self.control = control
    while true {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
      if descriptor >= 0 {
        self.descriptor = descriptor
        return
      }
      guard errno == ENXIO else { throw NewFile.failure(Errno(rawValue: errno), path) }
      try control.checkpoint()
      usleep(Self.period)
    }
  }

  deinit { close(descriptor) }

  /// How often it is looked whether a reader has come, in microseconds.
  private static let period: UInt32 = 50_000

  func write(_ bytes: RawSpan) throws(JobError) {
    var done = 0
    while done < bytes.byteCount {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
      }
      guard count < 0 else {
        done += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        try control.checkpoint()
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, CInt(Self.period / 1000))
      default:
        throw JobError(.system(Errno(rawValue: errno), cannot: "write to it", path: path))
      }
    }
  }

  func synchronize() {}
  func publish() {}
}
