import FileNames
import FoundationEssentials
import Glibc
import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs

/// Opens bytes as a catalog's file, reads it and writes to it.
///
/// SQLite wants a real file: it lies in a directory of this process in `TMPDIR`.
struct CatalogExercise {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let directory =
    (ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp") + "/snapjob-fuzz-\(getpid())"
  private static let path = directory + "/catalog.sqlite"

  func run() throws(Finding) {
    try? FileManager.default.removeItem(atPath: Self.directory)
    guard mkdir(Self.directory, 0o700) == 0, let file = fopen(Self.path, "we") else {
      throw Finding("no directory \(Self.directory): set TMPDIR")
    }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    guard let catalog = try? Catalog(path: Self.path) else { return }
    read(catalog)
    changeMachines(in: catalog)
    runJob(in: catalog)
    commit(in: catalog)
    maintain(catalog)
    read(catalog)
    catalog.close()
    try require((try? catalog.machines()) == nil, "a closed catalog answers")
  }

  private func read(_ catalog: Catalog) {
    _ = try? catalog.check()
    for machine in (try? catalog.machines()) ?? [] {
      _ = try? catalog.machine(named: machine.name ?? "")
      _ = try? catalog.history(subject: machine.name, allSubjects: false)
    }
    _ = try? catalog.jobs()
    for job in (try? catalog.history(subject: nil, allSubjects: true)) ?? [] {
      _ = try? catalog.statusLog(of: job)
      _ = try? catalog.statusLog(of: job.record.id)
      _ = try? catalog.job(job.record.id)
      _ = try? catalog.outcome(ofJob: job.record.id)
    }
    _ = try? catalog.events(after: 0)
    _ = (try? catalog.lastEventNumber(), try? catalog.changeCounter(), try? catalog.openRequests())
    let open = (try? catalog.unsettledCommits()) ?? []
    let commits = open + ((try? catalog.unconfirmedCommits()) ?? [])
    for commit in commits {
      _ = try? catalog.commit(commit.intent.id)
      _ = try? catalog.claim(commit.intent.id)
    }
    _ = try? catalog.deviceStates(of: commits.map(\.intent.id))
    for path in (try? catalog.imagesToClean()) ?? [] { try? catalog.noteClean(path) }
  }

  private func changeMachines(in catalog: Catalog) {
    let name = (try? catalog.machines())?.first?.name ?? "default"
    try? catalog.addMachine(named: "fuzzed")
    for machine in ["fuzzed", name] {
      guard let disk = try? NodeName("fuzz0"), let other = try? NodeName("fuzz1") else { continue }
      try? catalog.addNode(Node(name: disk, path: "/images/a.qcow2"), toMachine: machine)
      try? catalog.setVMState(disk, ofMachine: machine)
      try? catalog.replaceNode(
        disk, with: Node(name: other, path: "/images/b.qcow2", isReadOnly: true),
        inMachine: machine)
      try? catalog.setMonitor("unix:/run/qmp.sock", ofMachine: machine)
      try? catalog.removeNode(other, fromMachine: machine)
    }
    try? catalog.removeMachine(named: "fuzzed")
  }

  private func runJob(in catalog: Catalog) {
    guard let id = try? JobID("fuzz-job") else { return }
    let record = JobRecord(
      id: id, type: "snapshot-save", subject: "default", autoFinalize: true, autoDismiss: false,
      note: "a note", arguments: "{}", created: .now())
    guard var job = (try? catalog.insert([record]))?.first else { return }
    try? catalog.recordProgress(JobProgress(current: 1, total: 2), of: job.number)
    if let request = try? catalog.request(.cancel, of: job.number) {
      _ = (try? catalog.openRequests(), try? catalog.takeUp(request))
      try? catalog.answer(request, with: .refused(JobError(.general, "no")))
      _ = (try? catalog.answer(to: request), try? catalog.withdraw(request))
    }
    for status in [JobStatus.running, .aborting, .concluded, .null] {
      job.status = status
      if status == .concluded { job.error = JobError(.noSpace, "full") }
      try? catalog.record([job], at: .now())
    }
  }

  private func commit(in catalog: Catalog) {
    let sector = FirstSector(onDisk: [UInt8](repeating: 1, count: FirstSector.byteCount))
    let sectors = CommitSectors(before: sector, fenced: sector, after: sector, afterFenced: nil)
    let intent = CommitIntent(
      id: CommitID(), jobs: [], created: .now(),
      members: [CommitIntent.Member(node: "disk0", path: "/images/a.qcow2", sectors: sectors)])
    guard let claim = try? catalog.writeIntent(intent) else { return }
    _ = try? catalog.decide(.record, intent.id)
    try? catalog.confirm([0], of: intent.id)
    try? catalog.settle(
      intent.id, CommitSettlement(.record, confirmed: [0], isDurable: true))
    withExtendedLifetime(claim) {}
  }

  private func maintain(_ catalog: Catalog) {
    try? catalog.note([
      StagedStateStamp(
        commit: CommitID(), path: "/images/a.qcow2", old: nil,
        new: FileStamp(length: 1, modified: 2))
    ])
    try? catalog.makeDecisionsDurable()
    let key = SnapshotKey(tag: [], id: "1", seconds: 0, nanoseconds: 0)
    _ = try? catalog.makers(of: [key])
    _ = try? catalog.claimMonitor(at: "unix:/run/qmp.sock")
    try? catalog.backup(to: Self.directory + "/copy.sqlite")
    _ = try? catalog.prune(countedFrom: Timestamp(microseconds: .max))
  }
}
