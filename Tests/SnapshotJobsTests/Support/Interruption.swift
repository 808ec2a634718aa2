import JobCatalog
import Jobs
import Qcow2
import TestOracles

@testable import SnapshotJobs

extension Workbench {
  /// Leaves a job behind as if its process had died in the middle of its commit, with the record
  /// written: the published disks have their new first sector, the fenced ones the fence.
  func interrupt(
    _ request: SnapshotRequest, on nodes: [Node], published: [Int] = [], fenced: [Int] = []
  ) throws -> JobID {
    let id = try JobID("interrupted")
    try interrupt([(id, request)], on: nodes, published: published, fenced: fenced)
    return id
  }

  /// Leaves the jobs of one group behind in the same way; the disks count in the jobs' order.
  func interrupt(
    _ group: [(id: JobID, request: SnapshotRequest)], on nodes: [Node], published: [Int] = [],
    fenced: [Int] = []
  ) throws {
    var jobs = try catalog.insert(group.map { try jobRecord($0.id, $0.request) })
    for status in [JobStatus.running, .waiting, .pending] {
      for index in jobs.indices {
        jobs[index].status = status
        try catalog.record(jobs[index], at: Timestamp(microseconds: 2_000_000))
      }
    }
    try interrupt(
      group.map(\.request), of: group.map(\.id), on: nodes, published: published, fenced: fenced)
  }

  /// Leaves the commit of a command behind that is no job.
  func interrupt(
    command request: SnapshotRequest, on nodes: [Node], published: [Int] = [], fenced: [Int] = []
  ) throws {
    try interrupt([request], of: [], on: nodes, published: published, fenced: fenced)
  }

  private func interrupt(
    _ requests: [SnapshotRequest], of jobs: [JobID], on nodes: [Node], published: [Int],
    fenced: [Int]
  ) throws {
    let machine = Machine(name: nil, nodes: nodes)
    let works = try requests.map {
      try SnapshotWork($0, machine: machine, access: ImageAccess(log: catalog))
        .prepareImages(JobControl())
    }
    let members = works.flatMap(\.members)
    try catalog.append(
      CommitRecord(
        id: CommitID(), jobs: jobs, nature: works.count == 1 ? works[0].nature : .other,
        created: Timestamp(microseconds: 2_000_000), images: members.map(ImageCommit.init)))
    for (index, member) in members.enumerated() {
      let image = member.prepared.image
      if published.contains(index) { try image.writeFirstSector(member.prepared.after) }
      if fenced.contains(index) {
        try image.writeFirstSector(FirstSector(onDisk: member.prepared.before).fenced.bytes)
      }
    }
    works.forEach { $0.abandon() }
    try restart()
  }

  /// Three disks with a snapshot `old` and another state since.
  func makeThreeDisks(versions: [Int] = [3, 3, 3]) throws -> [Node] {
    try versions.enumerated().map { index, version in
      let node = try makeDisk(
        "disk\(index)",
        options: ["cluster_size=4096", "compat=\(version == 2 ? "0.10" : "1.1")"])
      try QemuIO.write(UInt8(0x10 + index), at: 0, length: 40 << 10, in: node.path)
      try QemuImg.createSnapshot("old", in: node.path)
      try QemuIO.write(UInt8(0x20 + index), at: 8192, length: 60 << 10, in: node.path)
      return node
    }
  }

  /// What becomes of a job in the end.
  func conclusion(of id: JobID) throws -> JobRecord {
    guard let record = try job(id), record.status == .concluded else {
      throw OracleError("the job \(id) has not concluded")
    }
    return record
  }
}

extension Node {
  /// Writes as a guest does that was started on this disk alone.
  func writeAsGuest(_ byte: UInt8 = 0xee) throws {
    try QemuIO.write(byte, at: 900 << 10, length: 4096, in: path)
  }

  /// Writes as a guest does whose disk is an overlay of this one, which is committed then: QEMU opens the image
  /// for reading, and for writing only later, and leaves the marker.
  func writeThroughOverlay(_ byte: UInt8 = 0xee) throws {
    let overlay = "\(path).overlay"
    try Command.run(
      "qemu-img", ["create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", overlay])
    try QemuIO.write(byte, at: 900 << 10, length: 4096, in: overlay)
    try Command.run("qemu-img", ["commit", "-q", overlay])
    try Command.run("rm", [overlay])
  }
}
