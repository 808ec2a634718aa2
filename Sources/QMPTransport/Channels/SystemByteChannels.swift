import FileNames
import Glibc
public import Jobs
import QMP
public import SnapshotJobs

/// Channels over sockets and files of the system.
///
/// Sockets that listen are their owner's alone (mode 0600), one that a dead program has left is replaced,
/// and the name is taken away once somebody has connected or nobody is waited for any more.
public struct SystemByteChannels: ByteChannels {
  /// Makes the way to channels.
  public init() {}

  /// Connects to a socket, or makes a file.
  public func connect(to address: MigrationAddress) throws(JobError) -> any ByteChannel {
    if case .file(let path) = address {
      if let channel = try Self.specialFile(path) { return channel }
      let number = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard number >= 0 else {
        guard errno == EEXIST else { throw .channel(errno, "create", path) }
        throw JobError(.conflict, "\(path) exists already. Choose another file, or remove it")
      }
      return DescriptorChannel(OwnDescriptor(number), .sink(path: path), peer: path)
    }
    let target = try SocketTarget(address)
    let descriptor = try target.makeSocket()
    // It waits no longer than the kernel does for a queue of connections that is full.
    guard target.address.withPointer({ Glibc.connect(descriptor.number, $0, $1) }) == 0 else {
      throw Self.failure(errno, target.name)
    }
    try descriptor.setNonBlocking()
    return DescriptorChannel(descriptor, .socket, peer: "\(address)")
  }

  /// A FIFO or a character device is written to as it is; nil for what is none.
  ///
  /// - Throws: `JobError` if it cannot be opened, a FIFO that nobody reads for example.
  private static func specialFile(_ path: String) throws(JobError) -> DescriptorChannel? {
    var status = stat()
    guard stat(path, &status) == 0, [S_IFIFO, S_IFCHR].contains(status.st_mode & S_IFMT) else {
      return nil
    }
    let number = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard number >= 0 else {
      guard errno == ENXIO else { throw .channel(errno, "open", path) }
      throw JobError(
        .connection, "\(path): nobody reads from it. The receiver has to be started first")
    }
    return DescriptorChannel(OwnDescriptor(number), .pipe, peer: path)
  }

  private static func failure(_ cause: CInt, _ name: String) -> JobError {
    let kind: FailureKind = cause == EACCES || cause == EPERM ? .permission : .connection
    return JobError(
      kind,
      "Failed to connect to '\(name)': \(String(cString: strerror(cause))). The receiver has to be "
        + "started first")
  }

  /// Listens at a socket, or opens a file.
  public func listen(at address: MigrationAddress) throws(JobError) -> any ByteListener {
    switch address {
    case .file(let path):
      // A pipe that nobody writes to does not keep us.
      let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      guard number >= 0 else { throw .channel(errno, "open", path) }
      return SourceListener(
        channel: DescriptorChannel(OwnDescriptor(number), .source, peer: path))
    case .unix(let path):
      let socket: ListeningSocket
      do throws(QMPError) {
        socket = try ListeningSocket(path: path)
      } catch {
        throw JobError(
          error.kind.flatMap(FailureKind.init(rawValue:)) ?? .general, error.desc)
      }
      return try SocketListener(
        OwnDescriptor(socket.descriptor), peer: "\(address)", onClose: socket.remove)
    case .tcp:
      let target = try SocketTarget(address)
      let descriptor = try target.makeSocket()
      var yes: CInt = 1
      setsockopt(
        descriptor.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
      guard target.address.withPointer({ bind(descriptor.number, $0, $1) }) == 0,
        Glibc.listen(descriptor.number, 1) == 0
      else {
        let cause = errno
        throw JobError(
          cause == EADDRINUSE ? .inUse : cause == EACCES ? .permission : .general,
          "Failed to listen at '\(target.name)': \(String(cString: strerror(cause)))")
      }
      return try SocketListener(descriptor, peer: "\(address)", onClose: {})
    }
  }

  /// Two sockets that are connected with each other.
  public func pair() throws(JobError) -> (any ByteChannel, any ByteChannel) {
    var numbers: [CInt] = [0, 0]
    let type =
      CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
      | CInt(SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, type, 0, &numbers) == 0 else {
      throw .channel(errno, "make", "a pair of sockets")
    }
    let ends = numbers.map {
      DescriptorChannel(OwnDescriptor($0), .socket, peer: "the transfer within this process")
    }
    return (ends[0], ends[1])
  }
}

/// A file that is there already.
private struct SourceListener: ByteListener {
  let channel: DescriptorChannel

  func accept(within patience: Duration) throws(JobError) -> (any ByteChannel)? { channel }

  func close() {}
}
