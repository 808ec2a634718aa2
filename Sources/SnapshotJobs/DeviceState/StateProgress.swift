internal import DeviceState
internal import Jobs
private import Synchronization

/// Counts the bytes of a job on device state. How many there are is known at the end only: of what nobody wants
/// nothing is read, and what ends a stream is read first.
final class StateMeter: Sendable {
  private let control: JobControl
  private let left: Mutex<Int64>

  /// Makes a meter.
  ///
  /// - Parameters:
  ///   - control: of the job.
  ///   - byteCount: bytes that are foreseen.
  init(_ control: JobControl, foreseeing byteCount: UInt64) {
    self.control = control
    let count = Int64(clamping: byteCount)
    left = Mutex(count)
    control.foresee(count)
  }

  /// Counts bytes that were read; throws if the job is cancelled.
  fileprivate func advance(_ count: Int64) throws(JobError) {
    let missing = left.withLock { left in
      left -= count
      defer { left = max(0, left) }
      return max(0, -left)
    }
    if missing > 0 { control.foresee(missing) }
    try control.advance(count)
  }

  /// Tells that no more is to come.
  func finish() {
    let rest = left.withLock { left in
      defer { left = 0 }
      return left
    }
    control.foresee(-rest)
  }
}

/// A source that tells a meter of each byte that is read, and ends when the job is cancelled.
struct StateProgress: StreamSource {
  private var source: StateStream
  private let meter: StateMeter

  init(_ source: StateStream, _ meter: StateMeter) {
    self.source = source
    self.meter = meter
  }

  var byteCount: UInt64? { source.byteCount }

  mutating func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(StreamError) -> Int {
    let count = try source.read(into: &buffer, at: offset)
    do throws(JobError) {
      try meter.advance(Int64(count))
    } catch {
      throw .source(error, at: offset)
    }
    return count
  }
}

extension JobError {
  /// A failure of a job on device state: what was being done, then what went wrong; a cancellation as it is.
  ///
  /// - Parameters:
  ///   - error: what was thrown.
  ///   - name: the stream's file or snapshot.
  ///   - action: QEMU's words, `loading` or `saving`.
  init(_ error: any Error, of name: String, while action: String) {
    let cause = (error as? StreamError).map { JobError($0, of: name) } ?? JobError(wrapping: error)
    guard cause.kind != .cancelled, !cause.message.hasPrefix("Unable to open ") else {
      self = cause
      return
    }
    self.init(cause.kind, "\(action) Xen device state failed: \(cause.message)")
  }
}
