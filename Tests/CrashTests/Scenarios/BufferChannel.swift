import Jobs
import SnapshotJobs
import Synchronization

/// A channel whose incoming bytes are known before, and whose outgoing ones are kept.
final class BufferChannel: ByteChannel {
  private let incoming: Mutex<ArraySlice<UInt8>>
  private let sent = Mutex<[UInt8]>([])
  let isTwoWay = false

  init(_ incoming: [UInt8] = []) { self.incoming = Mutex(incoming[...]) }

  /// What was written.
  var outgoing: [UInt8] { sent.withLock { $0 } }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, within patience: Duration
  ) throws(JobError) -> Int? {
    incoming.withLock { bytes in
      let count = min(buffer.count, bytes.count)
      buffer.copyBytes(from: bytes.prefix(count))
      bytes.removeFirst(count)
      return count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, within patience: Duration) throws(JobError) -> Int? {
    sent.withLock { $0 += Array(bytes) }
    return bytes.count
  }

  func finishWriting() throws(JobError) {}
  func close() {}
}
