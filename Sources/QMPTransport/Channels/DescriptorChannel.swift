import FileNames
import Glibc
import Jobs
import SnapshotJobs

/// A channel that is a descriptor of the system: a socket or a file.
final class DescriptorChannel: ByteChannel {
  /// What a descriptor leads to.
  enum Kind: Sendable, Hashable {
    /// Another program.
    case socket
    /// A file that is read.
    case source
    /// A FIFO or a device that is written to.
    case pipe
    /// A file that is made; it has this path.
    case sink(path: String)
  }

  private let descriptor: OwnDescriptor
  private let kind: Kind
  private let peer: String

  /// Takes a descriptor over, which is never waited for by the system's calls themselves.
  init(_ descriptor: OwnDescriptor, _ kind: Kind, peer: String) {
    self.descriptor = descriptor
    self.kind = kind
    self.peer = peer
  }

  var isTwoWay: Bool { kind == .socket }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, within patience: Duration
  ) throws(JobError) -> Int? {
    guard try descriptor.waits(for: POLLIN, within: patience) else { return nil }
    let count = Glibc.read(descriptor.number, buffer.baseAddress, buffer.count)
    if count >= 0 { return count }
    return try nothing(errno, "read from")
  }

  func write(_ bytes: UnsafeRawBufferPointer, within patience: Duration) throws(JobError) -> Int? {
    guard try descriptor.waits(for: POLLOUT, within: patience) else { return nil }
    let count =
      kind == .socket
      ? send(descriptor.number, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
      : Glibc.write(descriptor.number, bytes.baseAddress, bytes.count)
    if count > 0 { return count }
    return try nothing(count == 0 ? EIO : errno, "write to")
  }

  func finishWriting() throws(JobError) {
    let result: CInt
    switch kind {
    case .socket: result = shutdown(descriptor.number, CInt(SHUT_WR))
    case .source, .pipe: result = 0
    case .sink:
      result = fsync(descriptor.number)
      if result == 0 { descriptor.finish() }
    }
    guard result == 0 else { throw .channel(errno, "finish writing to", peer) }
  }

  func close() {
    let wasFinished = descriptor.isFinished
    descriptor.close()
    if case .sink(let path) = kind, !wasFinished { _ = unlink(path) }
  }

  /// What a call that moved nothing means: to be tried again, or a failure.
  private func nothing(_ cause: CInt, _ action: String) throws(JobError) -> Int? {
    switch cause {
    case EAGAIN, EINTR: return nil
    default: throw .channel(cause, action, peer)
    }
  }
}

extension JobError {
  /// A system call about a channel failed.
  static func channel(_ cause: CInt, _ action: String, _ peer: String) -> JobError {
    let kind: FailureKind =
      switch cause {
      case EACCES, EPERM, EROFS: .permission
      case ENOENT, ENOTDIR: .notFound
      case EEXIST: .conflict
      case ENOSPC, EDQUOT: .noSpace
      case ECONNRESET, EPIPE, ECONNREFUSED, ENOTCONN: .connection
      default: .general
      }
    let reason =
      cause == EPIPE || cause == ECONNRESET
      ? "the other side has gone away, and says why" : String(cString: strerror(cause))
    return JobError(kind, "\(peer): cannot \(action) it: \(reason)")
  }
}
