import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

extension Workbench {
  /// Recovers with the power failing at every point in turn, then recovers again, each time from the
  /// same disks and catalog; the user decides the same each time that it is asked for. Tells the
  /// number of points.
  func losePower(
    inRecoveryOf id: JobID, on nodes: [Node], force: Recovery.Force? = nil,
    verify: (Comment) throws -> Void
  ) throws -> Int {
    let state = directory.path("state")
    let saved = directory.path("saved")
    catalog.close()
    try Command.run("mkdir", [saved])
    try Command.run("cp", ["-a", state] + nodes.map(\.path) + [saved])
    var point = 1
    while true {
      let comment = Comment(rawValue: "power lost at \(point)")
      catalog.close()
      try Command.run("rm", ["-rf", state])
      try Command.run("cp", ["-a", "\(saved)/state", state])
      // The files stay the same files: their identity is in the record.
      for node in nodes {
        let name = node.path.split(separator: "/").last ?? ""
        try Command.run("cp", ["\(saved)/\(name)", node.path])
      }
      try restart()
      let storage = FaultyStorage(
        .powerLoss(at: point, survivors: FaultyStorage.Survivors.allCases[point % 3]))
      _ = try? Recovery(
        log: FaultyLog(catalog: catalog, storage: storage), runner: runner,
        files: ObservedFiles(observer: storage)
      ).run(job: id, force: force)

      try restart()
      let findings = try recovery.run()
      if findings.contains(where: { !$0.isResolved }) {
        #expect(force != nil, comment)
        #expect(try recovery.run(job: id, force: force).allSatisfy { $0.isResolved }, comment)
      }
      #expect(try recovery.run().isEmpty, comment)
      #expect(try openRecords().isEmpty, comment)
      try verify(comment)
      try expectAgreement(nodes)
      guard storage.hasFailed else { return point - 1 }
      point += 1
    }
  }
}
