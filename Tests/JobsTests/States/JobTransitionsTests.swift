import Testing

@testable import Jobs

/// The statuses in the order of QEMU's tables.
let tableOrder: [JobStatus] = [
  .undefined, .created, .running, .paused, .ready, .standby, .waiting, .pending, .aborting,
  .concluded, .null,
]

@Suite("Status table")
struct JobTransitionsTests {
  /// Row = from, column = to, as in QEMU's `JobSTT`.
  private static let table = """
    0 1 0 0 0 0 0 0 0 0 0
    0 0 1 0 0 0 0 0 1 0 1
    0 0 0 1 1 0 1 0 1 0 0
    0 0 1 0 0 0 0 0 0 0 0
    0 0 0 0 0 1 1 0 1 0 0
    0 0 0 0 1 0 0 0 0 0 0
    0 0 0 0 0 0 0 1 1 0 0
    0 0 0 0 0 0 0 0 1 1 0
    0 0 0 0 0 0 0 0 1 1 0
    0 0 0 0 0 0 0 0 0 0 1
    0 0 0 0 0 0 0 0 0 0 0
    """

  static let pairs: [(from: JobStatus, to: JobStatus, isLegal: Bool)] = {
    let rows = table.split(separator: "\n").map { $0.split(separator: " ") }
    return tableOrder.indices.flatMap { row in
      tableOrder.indices.map { column in
        (tableOrder[row], tableOrder[column], rows[row][column] == "1")
      }
    }
  }()

  @Test(
    "Each of the 121 steps is taken or refused as in QEMU, and emits one event unless it is one to itself"
  )
  func everyPair() throws {
    #expect(Self.pairs.count == 121)
    for pair in Self.pairs {
      let catalog = ToyCatalog()
      let store = catalog.store(ofWorker: 1)
      let record = catalog.leave(try toyRecord("job", status: pair.from), worker: 1)
      var machine = JobStateMachine(record)
      let label: Comment = "\(pair.from) to \(pair.to)"
      do throws(JobError) {
        try machine.transition(to: pair.to, in: JobLedger(store: store))
        #expect(pair.isLegal, label)
        #expect(machine.status == pair.to, label)
        #expect(catalog.trail(of: "job") == (pair.from == pair.to ? [] : [pair.to]), label)
      } catch {
        #expect(!pair.isLegal, label)
        #expect(machine.status == pair.from, label)
        #expect(catalog.trail.isEmpty, label)
        #expect(
          error.message
            == "Job 'job' in state '\(pair.from.rawValue)' cannot change to '\(pair.to.rawValue)'")
      }
    }
  }

  @Test("The way to the conclusion takes legal steps only, from every status")
  func stepsToConclusion() throws {
    for status in tableOrder {
      for isFailed in [false, true] {
        var here = status
        for step in JobTransitions.stepsToConclusion(from: status, isFailed: isFailed) {
          #expect(
            JobTransitions.successors(of: here).contains(step), "\(status): \(here) to \(step)")
          here = step
        }
        #expect(here == .concluded || status == .null)
      }
    }
  }

  @Test("A step that the store cannot keep is not taken")
  func storeFailure() throws {
    let catalog = ToyCatalog()
    let record = catalog.leave(try toyRecord("job", status: .created), worker: 1)
    catalog.refuse { _ in JobError(.catalog, "read-only") }
    var machine = JobStateMachine(record)
    let ledger = JobLedger(store: catalog.store(ofWorker: 1))
    #expect(throws: JobError(.catalog, "read-only")) {
      try machine.transition(to: .running, in: ledger)
    }
    #expect(machine.status == .created)
    #expect(machine.record.started == nil)
    #expect(catalog.trail.isEmpty)
  }

  @Test("The first step to running and the one to concluded note their time, resuming does not")
  func times() throws {
    let catalog = ToyCatalog()
    let record = catalog.leave(try toyRecord("job", status: .created), worker: 1)
    var machine = JobStateMachine(record)
    let ledger = JobLedger(store: catalog.store(ofWorker: 1))
    try machine.transition(to: .running, in: ledger)
    let started = try #require(machine.record.started)
    #expect(started >= record.created)
    for status in [JobStatus.paused, .running, .aborting] {
      try machine.transition(to: status, in: ledger)
    }
    #expect(machine.record.started == started)
    #expect(machine.record.concluded == nil)
    try machine.transition(to: .concluded, in: ledger)
    #expect(try #require(machine.record.concluded) >= started)
    #expect(try ledger.store.job(record.id)?.concluded == machine.record.concluded)
  }
}
