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
    var job = try jobRecord(id, request)
    job.transaction = try catalog.insert([job])
    for status in [JobStatus.running, .waiting, .pending] {
      job.status = status
      try catalog.record(job, at: Timestamp(microseconds: 2_000_000))
    }
    let work = SnapshotWork(
      request, machine: Machine(name: nil, nodes: nodes), access: ImageAccess(log: catalog))
    guard let prepared = try work.prepare(JobControl()) as? PreparedSnapshots else {
      throw OracleError("the work prepared something else")
    }
    try catalog.append(
      CommitRecord(
        id: CommitID(), jobs: [id], nature: prepared.nature,
        created: Timestamp(microseconds: 2_000_000), images: prepared.members.map(ImageCommit.init))
    )
    for (index, member) in prepared.members.enumerated() {
      let image = member.prepared.image
      if published.contains(index) { try image.writeFirstSector(member.prepared.after) }
      if fenced.contains(index) {
        try image.writeFirstSector(FirstSector(onDisk: member.prepared.before).fenced.bytes)
      }
    }
    prepared.abandon()
    try restart()
    return id
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
}
