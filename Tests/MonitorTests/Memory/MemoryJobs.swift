import Jobs
import Monitor
import Synchronization

/// Jobs in memory: the store of one worker, and the history.
final class MemoryJobs: JobStore, JobHistory {
  private struct Row {
    var record: JobRecord
    var isDismissed = false
    var log: [(status: JobStatus, time: Timestamp)] = []
  }

  let isClosed = false

  private struct State {
    /// Newest first.
    var rows: [Row] = []
    var events: [(number: Int64, event: JobEvent)] = []
    var transactions: Int64 = 0
    var jobCount: Int64 = 0
  }

  private let state = Mutex(State())
  private let worker = WorkerInfo(id: 1, pid: 4711, uid: 1000, isAlive: true)

  /// All status changes in order, as `id status`.
  var trail: [String] {
    state.withLock { state in
      state.events.map { "\($0.event.id) \($0.event.status.rawValue)" }
    }
  }

  /// Puts a job in as an earlier process left it.
  func leave(_ record: JobRecord, isDismissed: Bool = false) {
    state.withLock { state in
      state.jobCount += 1
      var record = record
      record.number = state.jobCount
      state.rows.insert(Row(record: record, isDismissed: isDismissed), at: 0)
    }
  }

  func insert(_ jobs: [JobRecord]) throws(JobError) -> [JobRecord] {
    try state.withLock { state throws(JobError) in
      for job in jobs {
        for row in state.rows where !row.isDismissed {
          if row.record.id == job.id {
            throw JobError(.conflict, "Job ID '\(job.id)' already in use")
          }
          if let subject = job.subject, row.record.subject == subject,
            row.record.status != .concluded
          {
            throw JobError(.inUse, "machine '\(subject)' is busy with job '\(row.record.id)'")
          }
        }
      }
      state.transactions += 1
      var stored: [JobRecord] = []
      for var job in jobs {
        state.jobCount += 1
        job.number = state.jobCount
        job.status = .created
        job.transaction = state.transactions
        job.worker = worker
        state.rows.insert(Row(record: job), at: 0)
        Self.note(job.id, .created, at: job.created, in: &state, row: 0)
        stored.append(job)
      }
      return stored
    }
  }

  func record(_ steps: [JobRecord], at time: Timestamp) throws(JobError) {
    try state.withLock { state throws(JobError) in
      for job in steps {
        guard
          let index = state.rows.firstIndex(where: {
            !$0.isDismissed && $0.record.number == job.number
          })
        else { throw JobError(.notFound, "Job not found") }
        var record = job
        record.worker = worker
        if job.status == .null {
          state.rows[index].isDismissed = true
        } else {
          state.rows[index].record = record
        }
        Self.note(job.id, job.status, at: time, in: &state, row: index)
      }
    }
  }

  func recordProgress(_ progress: JobProgress, of number: Int64) throws(JobError) {}

  func job(_ id: JobID) throws(JobError) -> JobRecord? { try jobs().first { $0.id == id } }

  func jobs() throws(JobError) -> [JobRecord] {
    state.withLock { state in state.rows.filter { !$0.isDismissed }.map(\.record) }
  }

  func request(_ verb: JobVerb, of number: Int64) throws(JobError) -> Int64 {
    throw JobError(.general, "there is one process only")
  }

  func answer(to request: Int64) throws(JobError) -> VerbAnswer? { nil }
  func withdraw(_ request: Int64) throws(JobError) -> Bool { false }
  func takeUp(_ request: Int64) throws(JobError) -> Bool { true }
  func openRequests() throws(JobError) -> [VerbRequest] { [] }
  func answer(_ request: Int64, with answer: VerbAnswer) throws(JobError) {}
  func changeCounter() throws(JobError) -> Int64 { 0 }

  func events(after last: Int64) throws(JobError) -> [(number: Int64, event: JobEvent)] {
    state.withLock { state in state.events.filter { $0.number > last } }
  }

  func lastEventNumber() throws(JobError) -> Int64 {
    state.withLock { state in Int64(state.events.count) }
  }

  func history(
    subject: String?, allSubjects: Bool, id: JobID?
  ) throws(JobError) -> [JobRecord] {
    state.withLock { state in
      state.rows.map(\.record).filter { record in
        (allSubjects || record.subject == subject) && (id == nil || record.id == id)
      }
    }
  }

  func statusLog(of id: JobID) throws(JobError) -> [(status: JobStatus, time: Timestamp)] {
    try state.withLock { state throws(JobError) in
      guard let row = state.rows.first(where: { $0.record.id == id }) else {
        throw JobError(.notFound, "Job not found")
      }
      return row.log
    }
  }

  private static func note(
    _ id: JobID, _ status: JobStatus, at time: Timestamp, in state: inout State, row: Int
  ) {
    state.rows[row].log.append((status, time))
    let event = JobEvent(id: id, status: status, time: time)
    state.events.append((Int64(state.events.count + 1), event))
  }
}
