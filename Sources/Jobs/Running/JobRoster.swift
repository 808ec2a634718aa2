/// The jobs of this process, as far as their verbs and waiters can still meet them.
final class JobRoster: Sendable {
  /// A job that runs here, with its transaction.
  struct Entry: Sendable {
    let job: Job
    let transaction: JobTransaction
  }

  /// A job whose work is over but whose end is not in the store.
  struct Stranded: Sendable {
    let job: Job
    /// Why the end could not be stored; nil if the commit is in doubt.
    let storeFailure: JobError?
  }

  private struct State {
    var live: [JobID: Entry] = [:]
    var stranded: [JobID: Stranded] = [:]
    var ended: [JobRecord] = []
  }

  /// So many ended jobs are remembered for those who wait for them late.
  static let endedCapacity = 256

  private let state = Guarded(State())

  /// Adds a job that is about to run.
  func add(_ job: Job, of transaction: JobTransaction) {
    state.withLock { state in
      state.live[job.id] = Entry(job: job, transaction: transaction)
      state.stranded[job.id] = nil
    }
  }

  /// A job that runs here.
  func live(_ id: JobID) -> Entry? { state.withLock { state in state.live[id] } }

  /// A job that runs here, if it is the one of this record.
  func live(_ record: JobRecord) -> Entry? {
    live(record.id).flatMap { $0.job.number == record.number ? $0 : nil }
  }

  /// The jobs that run here.
  var liveIDs: [JobID] { state.withLock { state in Array(state.live.keys) } }

  /// A job whose end is not in the store.
  func stranded(_ id: JobID) -> Stranded? { state.withLock { state in state.stranded[id] } }

  /// A job whose end is not in the store, if it is the one of this record.
  func stranded(_ record: JobRecord) -> Stranded? {
    stranded(record.id).flatMap { $0.job.number == record.number ? $0 : nil }
  }

  /// Those whose end could not be stored.
  var unstored: [Job] {
    state.withLock { state in
      state.stranded.values.filter { $0.storeFailure != nil }.map(\.job)
    }
  }

  /// Those whose commit is in doubt.
  var inDoubt: [Job] {
    state.withLock { state in
      state.stranded.values.filter { $0.storeFailure == nil }.map(\.job)
    }
  }

  /// Whether other processes may have something to ask of a job here.
  var isBusy: Bool {
    state.withLock { state in !state.live.isEmpty || !state.stranded.isEmpty }
  }

  /// Takes out a job that has concluded, and remembers how.
  func retire(_ job: Job) {
    var record = job.snapshot
    if record.status == .null { record.status = .concluded }
    state.withLock { state in
      remove(job, from: &state)
      state.ended.append(record)
      if state.ended.count > Self.endedCapacity { state.ended.removeFirst() }
    }
  }

  /// Sets a job aside whose end is not in the store.
  func strand(_ job: Job, storeFailure: JobError?) {
    state.withLock { state in
      remove(job, from: &state)
      state.stranded[job.id] = Stranded(job: job, storeFailure: storeFailure)
    }
  }

  /// Takes out a job that was settled through the store.
  func forgetStranded(_ id: JobID) {
    state.withLock { state in state.stranded[id] = nil }
  }

  /// Takes out a job that another process has settled.
  func forget(_ job: Job) { state.withLock { state in remove(job, from: &state) } }

  /// How a job ended that ran here; the latest one of that name.
  func ended(_ id: JobID) -> JobRecord? {
    state.withLock { state in state.ended.last { $0.id == id } }
  }

  private func remove(_ job: Job, from state: inout State) {
    // The name may belong to a newer job by now.
    if state.live[job.id]?.job === job { state.live[job.id] = nil }
    if state.stranded[job.id]?.job === job { state.stranded[job.id] = nil }
  }
}
