import Testing

@testable import Jobs

@Suite("Verb table")
struct JobPermissionsTests {
  /// Columns in the order of the statuses, as in QEMU's `JobVerbTable`.
  private static let table: [(verb: JobVerb, row: String)] = [
    (.cancel, "0 1 1 1 1 1 1 1 0 0 0"),
    (.pause, "0 1 1 1 1 1 0 0 0 0 0"),
    (.resume, "0 1 1 1 1 1 0 0 0 0 0"),
    (.setSpeed, "0 1 1 1 1 1 0 0 0 0 0"),
    (.complete, "0 0 0 0 1 1 0 0 0 0 0"),
    (.finalize, "0 0 0 0 0 0 0 1 0 0 0"),
    (.dismiss, "0 0 0 0 0 0 0 0 0 1 0"),
    (.change, "0 1 1 1 1 1 0 0 0 0 0"),
  ]

  @Test("Each of the 88 pairs of verb and status is accepted or refused as in QEMU")
  func everyPair() throws {
    #expect(Self.table.count == JobVerb.allCases.count)
    for (verb, row) in Self.table {
      for (status, bit) in zip(tableOrder, row.split(separator: " ")) {
        var machine = JobStateMachine(try toyRecord("job", status: status))
        let label: Comment = "\(verb) in \(status)"
        let expected: String? =
          if verb == .resume {
            "Can't resume a job that was not paused"
          } else if bit == "0" {
            "Job 'job' in state '\(status.rawValue)' cannot accept command verb '\(verb.rawValue)'"
          } else if verb == .change {
            "Job type does not support change"
          } else {
            nil
          }
        do throws(JobError) {
          _ = try machine.accept(verb)
          #expect(expected == nil, label)
        } catch {
          #expect(error.message == expected, label)
        }
        #expect(machine.status == status, "a verb alone changes no status")
        let isInTable = (try? JobPermissions.check(verb, of: machine.record.id, in: status)) != nil
        #expect(isInTable == (bit == "1"), label)
      }
    }
  }

  @Test("A user's pause makes resume legal where the table has it, and only there")
  func resumeAfterPause() throws {
    for status in [JobStatus.created, .running, .ready] {
      var machine = JobStateMachine(try toyRecord("job", status: status))
      _ = try machine.accept(.pause)
      #expect(throws: JobError.alreadyPaused) { try machine.accept(.pause) }
      #expect(try machine.accept(.resume) == .wake)
      #expect(throws: JobError.notPaused) { try machine.accept(.resume) }
    }
    let catalog = ToyCatalog()
    let record = catalog.leave(try toyRecord("job", status: .running), worker: 1)
    var machine = JobStateMachine(record)
    _ = try machine.accept(.pause)
    try machine.transition(to: .waiting, in: JobLedger(store: catalog.store(ofWorker: 1)))
    #expect(throws: JobError.refused(.resume, of: record.id, in: .waiting)) {
      try machine.accept(.resume)
    }
  }

  @Test("A job that is cancelled cannot be completed")
  func completeAfterCancel() throws {
    var machine = JobStateMachine(try toyRecord("job", status: .ready))
    _ = try machine.accept(.cancel)
    #expect(
      throws: JobError(.conflict, "The active block job 'job' cannot be completed")
    ) { try machine.accept(.complete) }
  }

  @Test("Once a commit has begun, cancel and finalize are refused")
  func committing() throws {
    var machine = JobStateMachine(try toyRecord("job", status: .pending))
    let hasBegun = machine.beginCommit()
    #expect(hasBegun)
    for verb in [JobVerb.cancel, .finalize] {
      #expect(throws: JobError.refused(verb, of: machine.record.id, in: .pending)) {
        try machine.accept(verb)
      }
    }
  }

  @Test("A commit does not begin for a job that was cancelled before")
  func cancelledBeforeCommit() throws {
    var machine = JobStateMachine(try toyRecord("job", status: .pending))
    #expect(try machine.accept(.cancel) == .abortTransaction)
    let hasBegun = machine.beginCommit()
    #expect(!hasBegun)
  }
}
