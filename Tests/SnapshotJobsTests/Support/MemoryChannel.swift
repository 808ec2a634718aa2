import Jobs
import SnapshotJobs
import Synchronization

/// A channel whose incoming bytes are known before, and whose outgoing ones are kept.
final class MemoryChannel: ByteChannel {
  private struct State {
    var incoming: ArraySlice<UInt8>
    var outgoing: [UInt8] = []
    var isFinished = false
    var isClosed = false
    var attempts = 0
  }

  private let state: Mutex<State>
  let isTwoWay: Bool
  /// Whether the other side does nothing once its bytes are over, instead of closing.
  private let hangs: Bool

  init(_ incoming: [UInt8] = [], isTwoWay: Bool = false, hangs: Bool = false) {
    state = Mutex(State(incoming: incoming[...]))
    self.isTwoWay = isTwoWay
    self.hangs = hangs
  }

  /// What was written.
  var outgoing: [UInt8] { state.withLock { $0.outgoing } }
  /// Whether nothing more will be written.
  var isFinished: Bool { state.withLock { $0.isFinished } }
  /// Whether it was let go of.
  var isClosed: Bool { state.withLock { $0.isClosed } }
  /// How often bytes were asked for.
  var attempts: Int { state.withLock { $0.attempts } }

  func read(
    into buffer: UnsafeMutableRawBufferPointer, within patience: Duration
  ) throws(JobError) -> Int? {
    state.withLock { state in
      state.attempts += 1
      if state.incoming.isEmpty { return hangs ? nil : 0 }
      // In pieces of odd sizes.
      let count = min(buffer.count, state.incoming.count, 1 + state.attempts * 37 % 1000)
      buffer.copyBytes(from: state.incoming.prefix(count))
      state.incoming.removeFirst(count)
      return count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, within patience: Duration) throws(JobError) -> Int? {
    state.withLock { state in
      let count = min(bytes.count, 1000)
      state.outgoing += bytes[..<count]
      return count
    }
  }

  func finishWriting() throws(JobError) { state.withLock { $0.isFinished = true } }
  func close() { state.withLock { $0.isClosed = true } }
}
