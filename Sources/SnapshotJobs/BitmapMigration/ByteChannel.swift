public import Jobs

/// A way for bytes to and from another program, or into or out of a file.
///
/// Calls come from one thread at a time, except ``close()``.
public protocol ByteChannel: Sendable {
  /// Whether what is written can be answered: a socket, not a file.
  var isTwoWay: Bool { get }

  /// Reads some bytes, and waits for the first of them.
  ///
  /// - Parameters:
  ///   - buffer: receives them; not empty.
  ///   - patience: how long to wait.
  /// - Returns: how many; 0 at the end; nil if none have come.
  /// - Throws: `JobError` (connection) if the other side is gone in disorder.
  func read(
    into buffer: UnsafeMutableRawBufferPointer, within patience: Duration
  ) throws(JobError) -> Int?

  /// Writes some bytes, and waits for room for the first of them.
  ///
  /// - Parameters:
  ///   - bytes: what to write; not empty.
  ///   - patience: how long to wait.
  /// - Returns: how many; nil if there was no room.
  /// - Throws: `JobError` (connection) if the other side is gone, or what keeps a file from being written.
  func write(_ bytes: UnsafeRawBufferPointer, within patience: Duration) throws(JobError) -> Int?

  /// Tells the other side that no more will come; of a file makes everything durable.
  ///
  /// - Throws: `JobError`: what was written may not have arrived.
  func finishWriting() throws(JobError)

  /// Lets go of it. What was begun and not finished is of no use to anybody: a file is removed.
  func close()
}

/// Where the other side of a channel is waited for.
public protocol ByteListener: Sendable {
  /// Waits for the other side, once.
  ///
  /// - Parameter patience: how long.
  /// - Returns: the channel; nil if nobody has come. From then on nobody else is let in.
  /// - Throws: `JobError` if the system does not let it.
  func accept(within patience: Duration) throws(JobError) -> (any ByteChannel)?

  /// Waits no more.
  func close()
}

extension ByteListener {
  /// Waits for the other side, however long it takes; a pause and a cancellation of the job are served.
  ///
  /// - Throws: `JobError`; nobody is waited for any more then.
  public func accept(_ control: JobControl) throws(JobError) -> any ByteChannel {
    do throws(JobError) {
      while true {
        try control.checkpoint()
        if let channel = try accept(within: PatientChannel.slice) { return channel }
      }
    } catch {
      close()
      throw error
    }
  }
}

/// The way to channels.
public protocol ByteChannels: Sendable {
  /// Connects to somebody who listens, or makes a file.
  ///
  /// - Throws: `JobError`: connection with QEMU's text if nobody listens; a conflict if the file exists.
  func connect(to address: MigrationAddress) throws(JobError) -> any ByteChannel

  /// Listens, or opens a file that is there.
  ///
  /// - Throws: `JobError`: in use if somebody listens there already, not found for a file that is missing.
  func listen(at address: MigrationAddress) throws(JobError) -> any ByteListener

  /// Two ends of one channel within this process.
  func pair() throws(JobError) -> (any ByteChannel, any ByteChannel)
}

/// No way to anywhere.
public struct NoByteChannels: ByteChannels {
  /// Makes it.
  public init() {}

  private static let refusal = JobError(.connection, "There is no way to other programs from here")

  /// There is none.
  public func connect(to address: MigrationAddress) throws(JobError) -> any ByteChannel {
    throw Self.refusal
  }

  /// There is none.
  public func listen(at address: MigrationAddress) throws(JobError) -> any ByteListener {
    throw Self.refusal
  }

  /// There is none.
  public func pair() throws(JobError) -> (any ByteChannel, any ByteChannel) { throw Self.refusal }
}
