internal import Jobs
internal import Qcow2

/// When a snapshot is taken, as its entry can say it.
///
/// The date of an entry has 32 bits of seconds (qcow2 specification, "Snapshot table", bytes 16 to 23): it
/// begins in 1970 and ends in 2106. A clock that shows another time keeps nobody from saving.
struct SnapshotMoment: Sendable, Hashable {
  private static let range: ClosedRange<Int64> = 0...(Int64(UInt32.max) * 1_000_000 + 999_999)

  /// The date, in microseconds as QEMU has it.
  let date: ImageDraft.SnapshotDate
  /// A sentence for the user if the clock shows what an entry cannot say; nil otherwise.
  let remark: String?

  /// The moment that a clock shows, or the nearest that an entry can say.
  init(_ timestamp: Timestamp) {
    let shown = timestamp.microseconds
    let moment = min(max(shown, Self.range.lowerBound), Self.range.upperBound)
    date = ImageDraft.SnapshotDate(
      seconds: UInt32(moment / 1_000_000), nanoseconds: UInt32(moment % 1_000_000) * 1000)
    remark =
      moment == shown
      ? nil
      : "the clock shows a time \(shown < 0 ? "before 1970" : "after 2106"), which no qcow2 snapshot can be "
        + "dated with; this one has the nearest date that can. Set the clock"
  }

  /// The present moment.
  static var now: SnapshotMoment { SnapshotMoment(.now) }
}
