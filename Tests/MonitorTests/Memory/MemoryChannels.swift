import Jobs
import SnapshotJobs

/// Channels that lead nowhere; whoever listens is connected at once. A path that is called `/nobody` cannot be
/// connected to.
struct MemoryChannels: ByteChannels {
  func connect(to address: MigrationAddress) throws(JobError) -> any ByteChannel {
    guard address != .unix(path: "/nobody") else {
      throw JobError(.connection, "Failed to connect to '/nobody': Connection refused")
    }
    return MemoryChannel()
  }

  func listen(at address: MigrationAddress) throws(JobError) -> any ByteListener {
    guard address != .unix(path: "/taken") else { throw JobError(.inUse, "/taken: in use") }
    return MemoryListener()
  }

  func pair() throws(JobError) -> (any ByteChannel, any ByteChannel) {
    (MemoryChannel(), MemoryChannel())
  }
}

private struct MemoryListener: ByteListener {
  func accept(within patience: Duration) throws(JobError) -> (any ByteChannel)? { MemoryChannel() }
  func close() {}
}

private struct MemoryChannel: ByteChannel {
  var isTwoWay: Bool { true }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, within patience: Duration
  ) throws(JobError) -> Int? { 0 }

  func write(_ bytes: UnsafeRawBufferPointer, within patience: Duration) throws(JobError) -> Int? {
    bytes.count
  }

  func finishWriting() throws(JobError) {}
  func close() {}
}
