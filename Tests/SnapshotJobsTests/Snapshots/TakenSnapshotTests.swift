import Testing

@testable import SnapshotJobs

@Suite struct TakenSnapshotTests {
  private let taken = TakenSnapshot(
    node: "disk0", path: "/a/disk0.qcow2", dateSeconds: 7, dateNanoseconds: 8000)

  private func isSame(
    _ name: String, _ path: String, seconds: Int64 = 7, nanoseconds: UInt32 = 8000,
    machine: String? = "web01"
  ) throws -> Bool {
    let node = Node(name: try NodeName(name), path: path)
    let device = SnapshotListing.Device(
      node: node.name, id: "1", vmStateSize: 0, diskSize: 512, dateSeconds: seconds,
      dateNanoseconds: nanoseconds, vmClockNanoseconds: 0)
    return taken.isSame(as: device, of: Machine(name: machine, nodes: [node]))
  }

  @Test func `a snapshot of another moment is another one`() throws {
    #expect(try isSame("disk0", "/a/disk0.qcow2"))
    #expect(try !isSame("disk0", "/a/disk0.qcow2", seconds: 8))
    #expect(try !isSame("disk0", "/a/disk0.qcow2", nanoseconds: 9000))
  }

  @Test func `a node that was renamed or moved has its snapshots still`() throws {
    #expect(try isSame("root", "/a/disk0.qcow2"))
    #expect(try isSame("disk0", "/b/disk0.qcow2"))
    #expect(try !isSame("root", "/b/disk0.qcow2"))
  }

  @Test func `of a machine without a name the path decides`() throws {
    #expect(try isSame("disk1", "/a/disk0.qcow2", machine: nil))
    #expect(try !isSame("disk0", "/b/disk0.qcow2", machine: nil))
  }
}
