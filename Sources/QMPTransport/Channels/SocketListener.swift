import Glibc
import Jobs
import SnapshotJobs
import Synchronization

/// Waits at a socket for one connection.
final class SocketListener: ByteListener {
  private let descriptor: OwnDescriptor
  private let peer: String
  private let onClose: @Sendable () -> Void
  private let isClosed = Atomic(false)

  /// Takes over a socket that listens.
  ///
  /// - Parameters:
  ///   - descriptor: the socket.
  ///   - peer: the address, for messages.
  ///   - onClose: takes its name away.
  /// - Throws: `JobError` if it cannot be set up.
  init(
    _ descriptor: OwnDescriptor, peer: String, onClose: @escaping @Sendable () -> Void
  ) throws(JobError) {
    self.descriptor = descriptor
    self.peer = peer
    self.onClose = onClose
    try descriptor.setNonBlocking()
  }

  deinit { close() }

  func accept(within patience: Duration) throws(JobError) -> (any ByteChannel)? {
    guard try descriptor.waits(for: POLLIN, within: patience) else { return nil }
    let number = Glibc.accept(descriptor.number, nil, nil)
    guard number >= 0 else {
      // Whoever knocked has gone again.
      if [EAGAIN, EINTR, ECONNABORTED].contains(errno) { return nil }
      throw .channel(errno, "accept a connection at", peer)
    }
    let connection = OwnDescriptor(number)
    close()
    try connection.setNonBlocking()
    return DescriptorChannel(connection, .socket, peer: peer)
  }

  func close() {
    guard !isClosed.exchange(true, ordering: .relaxed) else { return }
    onClose()
    descriptor.close()
  }
}
