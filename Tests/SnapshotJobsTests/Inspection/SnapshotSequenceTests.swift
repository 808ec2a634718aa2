import Jobs
import Testing

@testable import SnapshotJobs

@Suite struct SnapshotSequenceTests {
  private func sorted(
    _ snapshots: [(tag: String, seconds: Int64)], made: [String]
  ) throws -> [String] {
    var makers: [SnapshotKey: SnapshotMaker] = [:]
    let listings = try snapshots.sorted { $0.seconds < $1.seconds }.map { tag, seconds in
      let device = SnapshotListing.Device(
        node: try NodeName("disk0"), id: "1", vmStateSize: 0, diskSize: 0, dateSeconds: seconds,
        vmClockNanoseconds: 0)
      let listing = SnapshotListing(
        tagBytes: Array(tag.utf8), dateSeconds: seconds, devices: [device], isComplete: true)
      if let number = made.firstIndex(of: tag) {
        makers[listing.key(of: device)] = SnapshotMaker(sequence: Int64(number))
      }
      return listing
    }
    return SnapshotSequence(makers).sorted(listings).map(\.tag)
  }

  @Test func `what the catalog knows is in its order, whatever the dates say`() throws {
    #expect(
      try sorted([("a", 10), ("b", 900), ("c", 20), ("d", 15)], made: ["a", "b", "c", "d"])
        == ["a", "b", "c", "d"])
  }

  @Test func `others are put between them by date`() throws {
    #expect(
      try sorted(
        [("a", 10), ("b", 900), ("c", 20), ("x", 5), ("y", 15), ("z", 950)],
        made: ["a", "b", "c"]) == ["x", "a", "y", "b", "c", "z"])
    #expect(try sorted([("x", 5), ("y", 1)], made: []) == ["y", "x"])
    #expect(try sorted([], made: []) == [])
  }
}
