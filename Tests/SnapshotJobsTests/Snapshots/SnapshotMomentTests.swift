import Jobs
import Qcow2
import Testing

@testable import SnapshotJobs

@Suite struct SnapshotMomentTests {
  @Test(
    "A clock before 1970 or after 2106 gives the nearest date there is, and that is said",
    arguments: [
      (-1, 0, 0, true), (.min, 0, 0, true), (0, 0, 0, false), (1_500_001, 1, 500_001_000, false),
      (4_294_967_295_999_999, .max, 999_999_000, false),
      (4_294_967_296_000_000, .max, 999_999_000, true), (.max, .max, 999_999_000, true),
    ] as [(Int64, UInt32, UInt32, Bool)])
  func clamping(microseconds: Int64, seconds: UInt32, nanoseconds: UInt32, isSaid: Bool) {
    let moment = SnapshotMoment(Timestamp(microseconds: microseconds))
    #expect(moment.date.seconds == seconds)
    #expect(moment.date.nanoseconds == nanoseconds)
    #expect((moment.remark != nil) == isSaid)
  }
}
