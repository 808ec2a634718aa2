import Dispatch
import Synchronization

/// Counts the bytes of one job, from any of its threads.
final class ProgressMeter: Sendable {
  /// The store is told at most this often.
  static let storePeriodNanoseconds: UInt64 = 250_000_000

  private let current = Atomic<Int64>(0)
  private let total = Atomic<Int64>(0)
  private let lastStored = Atomic<UInt64>(0)

  /// Adds to the bytes foreseen.
  func foresee(_ bytes: Int64) { total.wrappingAdd(bytes, ordering: .relaxed) }

  /// Adds to the bytes done.
  func advance(_ bytes: Int64) { current.wrappingAdd(bytes, ordering: .relaxed) }

  /// The bytes done and foreseen.
  var progress: JobProgress {
    JobProgress(current: current.load(ordering: .relaxed), total: total.load(ordering: .relaxed))
  }

  /// Whether the caller is to tell the store now; true for one caller in each period.
  func isStoreDue() -> Bool {
    let now = DispatchTime.now().uptimeNanoseconds
    let last = lastStored.load(ordering: .relaxed)
    guard now &- last >= Self.storePeriodNanoseconds else { return false }
    return lastStored.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
  }
}
