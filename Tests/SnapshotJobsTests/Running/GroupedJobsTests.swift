import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// Several jobs on different disks that are committed together.
@Suite struct GroupedJobsTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  /// Starts one job for each request, called `job0`, `job1`, ….
  private func start(_ requests: [SnapshotRequest], _ grouping: JobGrouping) throws {
    let requests = try requests.enumerated().map { index, request in
      JobRunner.Request(
        record: try jobRecord(JobID("job\(index)"), request),
        work: SnapshotWork(
          request, machine: Machine(name: nil, nodes: nodes),
          access: ImageAccess(log: bench.catalog)))
    }
    try bench.runner.start(requests, grouping)
  }

  private func errors() async throws -> [String?] {
    var errors: [String?] = []
    for id in ["job0", "job1"] {
      errors.append(try await bench.runner.wait(for: JobID(id)).error?.message)
    }
    return errors
  }

  @Test func `different jobs on different disks are one commit`() async throws {
    try QemuImg.createSnapshot("old", in: nodes[1].path)
    let old = try digests([nodes[1]])
    try QemuIO.write(0x77, at: 0, length: 4096, in: nodes[1].path)
    try start([.save("a", on: [nodes[0]]), .load("old", on: [nodes[1]])], .grouped)
    #expect(try await errors() == [nil, nil])
    #expect(try tags(nodes) == [["a"], ["old"]])
    #expect(try digests([nodes[1]]) == old)
    #expect(try bench.unsettledCommits().isEmpty)
    try expectAgreement(nodes)
  }

  @Test func `when one fails nothing is changed`() async throws {
    try start([.save("a", on: [nodes[0]]), .load("none", on: [nodes[1]])], .grouped)
    let errors = try await errors()
    #expect(errors[0] == "Operation canceled")
    #expect(errors[1]?.hasPrefix("Snapshot 'none' does not exist in one or more devices") == true)
    #expect(try tags(nodes) == [[], []])
    try expectAgreement(nodes)
  }

  @Test func `on their own, one may fail and the other be done`() async throws {
    try start([.save("a", on: [nodes[0]]), .load("none", on: [nodes[1]])], .individual)
    let errors = try await errors()
    #expect(errors[0] == nil)
    #expect(errors[1] != nil)
    #expect(try tags(nodes) == [["a"], []])
    try expectAgreement(nodes)
  }
}
