import JobCatalog
import Jobs
import Qcow2
import TestOracles

@testable import SnapshotJobs

extension Workbench {
  /// Leaves a job behind as if its process had died in the middle of its commit: published disks have their new
  /// first sector, fenced ones the fence.
  ///
  /// - Parameters:
  ///   - request: of the job.
  ///   - nodes: its disks.
  ///   - hasRecord: whether the record was written.
  ///   - published: the disks that are published.
  ///   - fenced: the disks that are fenced; nil for all others.
  /// - Returns: the job's id.
  /// - Throws: what any step throws.
  @discardableResult
  func interrupt(
    _ request: SnapshotRequest, on nodes: [Node], hasRecord: Bool = true, published: [Int] = [],
    fenced: [Int]? = nil
  ) throws -> JobID {
    let id = try JobID("interrupted")
    try interrupt(
      [(id, request)], on: nodes, hasRecord: hasRecord, published: published, fenced: fenced)
    return id
  }

  /// Leaves the jobs of one group behind in the same way; the disks count in the jobs' order.
  func interrupt(
    _ group: [(id: JobID, request: SnapshotRequest)], on nodes: [Node], hasRecord: Bool = true,
    published: [Int] = [], fenced: [Int]? = nil
  ) throws {
    var jobs = try catalog.insert(group.map { try jobRecord($0.id, $0.request) })
    for status in [JobStatus.running, .waiting, .pending] {
      for index in jobs.indices {
        jobs[index].status = status
        try catalog.record([jobs[index]], at: Timestamp(microseconds: 2_000_000))
      }
    }
    let machine = Machine(name: nil, nodes: nodes)
    let works = try group.map {
      try SnapshotWork($0.request, machine: machine, access: ImageAccess(log: catalog))
        .prepareImages(JobControl())
    }
    try interrupt(
      works, of: group.map(\.id), hasRecord: hasRecord, published: published, fenced: fenced)
  }

  /// Leaves the commit of a command behind that is no job.
  func interrupt(
    command request: SnapshotRequest, on nodes: [Node], hasRecord: Bool = true,
    published: [Int] = [], fenced: [Int]? = nil
  ) throws {
    let work = try SnapshotWork(
      request, machine: Machine(name: nil, nodes: nodes), access: ImageAccess(log: catalog)
    ).prepareImages(JobControl())
    try interrupt([work], of: [], hasRecord: hasRecord, published: published, fenced: fenced)
  }

  /// Leaves the commit of prepared images behind.
  func interrupt(
    _ works: [PreparedSnapshots], of jobs: [JobID] = [], hasRecord: Bool = true, published: [Int],
    fenced: [Int]? = nil
  ) throws {
    let members = works.flatMap(\.members)
    let id = CommitID()
    var described: [CommitIntent.Member] = []
    for (index, member) in members.enumerated() {
      let mark = FenceMark(
        commit: id, catalog: catalog.catalogID, member: index, memberCount: members.count)
      described.append(
        CommitIntent.Member(
          node: member.node.name.description, path: member.node.path,
          sectors: try member.prepared.sectors(mark), deviceState: member.deviceState))
    }
    let claim = try catalog.writeIntent(
      CommitIntent(
        id: id, jobs: jobs, created: Timestamp(microseconds: 2_000_000), members: described))
    for (index, member) in members.enumerated() {
      let file = member.prepared.image.sectorFile
      if published.contains(index) {
        try file.write(described[index].sectors.after)
      } else if fenced?.contains(index) ?? (members.count > 1) {
        try file.write(described[index].sectors.fenced)
      }
    }
    if hasRecord, members.count > 1 { _ = try catalog.decide(.record, id) }
    withExtendedLifetime(claim) {}
    works.forEach { $0.abandon() }
    try restart()
  }

  /// Three disks with a snapshot `old` and another state since.
  func makeThreeDisks(versions: [Int] = [3, 3, 3]) throws -> [Node] {
    try makeDisks(versions)
  }

  /// Disks of these versions with a snapshot `old` and another state since.
  func makeDisks(_ versions: [Int]) throws -> [Node] {
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
  /// for reading, and for writing only later.
  func writeThroughOverlay(_ byte: UInt8 = 0xee) throws {
    let overlay = "\(path).overlay"
    try Command.run(
      "qemu-img", ["create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", overlay])
    try QemuIO.write(byte, at: 900 << 10, length: 4096, in: overlay)
    try Command.run("qemu-img", ["commit", "-q", overlay])
    try Command.run("rm", [overlay])
  }
}
