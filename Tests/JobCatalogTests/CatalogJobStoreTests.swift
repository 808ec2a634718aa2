import Foundation
import Jobs
import Testing

@testable import JobCatalog

@Suite struct CatalogJobStoreTests {
  let home: TemporaryCatalog

  init() throws { home = try TemporaryCatalog() }

  @Test func aNewJobIsCreatedAndBelongsToThisProcess() throws {
    let catalog = try home.open()
    var job = JobRecord(
      id: try JobID("job1"), type: "snapshot-load", subject: "web", autoFinalize: false,
      autoDismiss: true, note: "a remark, 'quoted' \u{1F600}", arguments: #"{"a":[1,2]}"#,
      created: Timestamp(microseconds: 17))
    job.progress = JobProgress(current: 1, total: 99)
    let inserted = try #require(try catalog.insert([job]).first)
    let stored = try #require(try catalog.job(JobID("job1")))
    var expected = job
    expected.number = inserted.number
    expected.transaction = inserted.transaction
    expected.status = .created
    expected.worker = stored.worker
    #expect(stored == expected)
    #expect(inserted.number > 0 && inserted.transaction > 0)
    let worker = try #require(stored.worker)
    #expect(worker.isAlive)
    #expect(worker.pid == getpid())
    #expect(worker.uid == geteuid())
  }

  @Test func everyChangeOfARecordIsKept() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    var job = try #require(try catalog.job(JobID("job1")))
    job.status = .concluded
    job.progress = JobProgress(current: .max, total: .max)
    job.error = JobError(.noSpace, "disk1: no space left")
    job.result = #"{"bytes-written":1}"#
    job.started = Timestamp(microseconds: 5)
    job.concluded = Timestamp(microseconds: 9)
    try catalog.record([job], at: Timestamp(microseconds: 9))
    #expect(try catalog.job(job.id) == job)
    catalog.close()
    let again = try home.open()
    let read = try #require(try again.job(job.id))
    #expect(read.error == job.error)
    #expect(read.result == job.result)
    #expect(read.progress == job.progress)
    #expect(read.concluded == job.concluded)
  }

  @Test func jobsOfOneTransactionAreEnteredAllOrNone() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("taken")])
    let error = failure {
      _ = try catalog.insert([newJob("fresh", subject: nil), newJob("taken", subject: nil)])
    }
    #expect(error == JobError(.conflict, "Job ID 'taken' already in use"))
    #expect(try catalog.jobs().map(\.id.description) == ["taken"])
    #expect(try catalog.events(after: 0).count == 1)
    let twice = failure {
      _ = try catalog.insert([newJob("x", subject: nil), newJob("x", subject: nil)])
    }
    #expect(twice == JobError(.conflict, "Job ID 'x' already in use"))
    #expect(try catalog.job(JobID("x")) == nil)
  }

  @Test func transactionsGetNumbersOfTheirOwnAndShareThemWithin() throws {
    let catalog = try home.open()
    let jobs = try catalog.insert([newJob("a", subject: "m"), newJob("b", subject: "m")])
    let first = jobs[0].transaction
    let second = try catalog.insert([newJob("c", subject: nil)])[0].transaction
    #expect(first != second)
    #expect(try catalog.job(JobID("a"))?.transaction == first)
    #expect(try catalog.job(JobID("b"))?.transaction == first)
    #expect(try catalog.job(JobID("c"))?.transaction == second)
  }

  @Test func jobsAreListedNewestFirst() throws {
    let catalog = try home.open()
    for id in ["a", "b", "c"] { _ = try catalog.insert([newJob(id, subject: nil)]) }
    #expect(try catalog.jobs().map(\.id.description) == ["c", "b", "a"])
  }

  @Test func aBusySubjectRefusesAnotherTransactionAndNamesTheJobInTheWay() throws {
    let catalog = try home.open()
    let other = try home.open()
    _ = try catalog.insert([newJob("holder", subject: "web")])
    try catalog.move("holder", to: .running)
    let error = failure { _ = try other.insert([newJob("late", subject: "web")]) }
    #expect(error?.kind == .inUse)
    #expect(
      error?.message
        == "Machine 'web' is busy with job 'holder' (status running, pid \(getpid())). "
        + "To wait for its end: --wait-lock SECONDS")
    try catalog.move("holder", to: .waiting)
    try catalog.move("holder", to: .pending)
    let pending = failure { _ = try other.insert([newJob("late", subject: "web")]) }
    #expect(
      pending?.message
        == "Machine 'web' is busy with job 'holder' (status pending, pid \(getpid())). It waits for: "
        + "`snapjob job finalize holder`, or: `snapjob job cancel holder`. To wait until then: "
        + "--wait-lock SECONDS")
    _ = try other.insert([newJob("elsewhere", subject: "db")])
    _ = try other.insert([newJob("nameless", subject: nil)])
    #expect(try other.job(JobID("late")) == nil)
  }

  @Test func aSubjectIsFreeOnlyWhenTheLastJobOfItsTransactionHasConcluded() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("a", subject: "web"), newJob("b", subject: "web")])
    try catalog.move("a", to: .concluded)
    let error = failure { _ = try catalog.insert([newJob("late", subject: "web")]) }
    #expect(error?.kind == .inUse)
    #expect(error?.message.contains("'b'") == true)
    try catalog.move("b", to: .concluded)
    _ = try catalog.insert([newJob("late", subject: "web")])
  }

  @Test func aBusySubjectWhoseProcessHasEndedPointsToRecovery() throws {
    let dead = try home.open()
    _ = try dead.insert([newJob("orphan", subject: "web")])
    dead.close()
    let catalog = try home.open()
    let error = failure { _ = try catalog.insert([newJob("late", subject: "web")]) }
    #expect(error?.kind == .inUse)
    #expect(error?.message.hasSuffix("which has ended). To settle it: `snapjob recover`") == true)
  }

  @Test func aDismissedJobFreesItsIdAndStaysInTheHistory() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    try catalog.move("job1", to: .concluded, at: 10)
    try catalog.move("job1", to: .null, at: 20)
    #expect(try catalog.job(JobID("job1")) == nil)
    #expect(try catalog.jobs().isEmpty)
    _ = try catalog.insert([newJob("job1")])
    let history = try catalog.history(subject: nil, allSubjects: true, id: JobID("job1"))
    #expect(history.map(\.record.status) == [.created, .concluded])
    #expect(history.map(\.dismissed) == [nil, Timestamp(microseconds: 20)])
  }

  @Test func aStatusChangeOfAnUnknownJobIsNotFound() throws {
    let catalog = try home.open()
    let record = try newJob("ghost")
    #expect(
      failure { try catalog.record([record], at: Timestamp(microseconds: 1)) }
        == JobError(.notFound, "Job not found"))
  }

  @Test func whatComesLateForADismissedJobNeverHitsTheOneThatHasItsName() throws {
    let catalog = try home.open()
    let other = try home.open()
    let old = try catalog.insert([newJob("job1")])[0]
    try catalog.move("job1", to: .concluded)
    try catalog.move("job1", to: .null)
    let new = try other.insert([newJob("job1")])[0]
    #expect(new.number != old.number)
    let before = try other.job(new.id)
    let notFound = JobError(.notFound, "Job not found")
    for status in [JobStatus.running, .concluded, .null] {
      var late = old
      late.status = status
      late.result = "{}"
      #expect(failure { try catalog.record([late], at: Timestamp(microseconds: 9)) } == notFound)
    }
    try catalog.recordProgress(JobProgress(current: 3, total: 8), of: old.number)
    #expect(failure { _ = try catalog.request(.cancel, of: old.number) } == notFound)
    #expect(try other.job(new.id) == before)
    #expect(try other.openRequests().isEmpty)
    #expect(try catalog.statusLog(of: new.id).map(\.status) == [.created])
    // The subject stays the new job's.
    #expect(failure { _ = try catalog.insert([newJob("late")]) }?.kind == .inUse)
  }

  @Test func progressIsSeenByOtherProcesses() throws {
    let catalog = try home.open()
    let other = try home.open()
    _ = try catalog.insert([newJob("job1")])
    let number = try #require(try catalog.job(JobID("job1"))?.number)
    try catalog.recordProgress(JobProgress(current: 3, total: 8), of: number)
    #expect(try other.job(JobID("job1"))?.progress == JobProgress(current: 3, total: 8))
  }

  @Test func eventsOfAllProcessesComeInOrderWithRisingNumbers() throws {
    let first = try home.open()
    let second = try home.open()
    #expect(try first.lastEventNumber() == 0)
    _ = try first.insert([newJob("a", subject: nil, at: 1)])
    _ = try second.insert([newJob("b", subject: nil, at: 2)])
    let start = try first.lastEventNumber()
    try first.move("a", to: .running, at: 3)
    try second.move("b", to: .running, at: 4)
    try first.move("a", to: .concluded, at: 5)
    try first.move("a", to: .null, at: 6)
    let events = try second.events(after: start)
    #expect(
      events.map(\.event) == [
        JobEvent(id: try JobID("a"), status: .running, time: Timestamp(microseconds: 3)),
        JobEvent(id: try JobID("b"), status: .running, time: Timestamp(microseconds: 4)),
        JobEvent(id: try JobID("a"), status: .concluded, time: Timestamp(microseconds: 5)),
        JobEvent(id: try JobID("a"), status: .null, time: Timestamp(microseconds: 6)),
      ])
    #expect(events.map(\.number) == Array((start + 1)...(start + 4)))
    #expect(try first.lastEventNumber() == start + 4)
    #expect(try first.events(after: start + 4).isEmpty)
  }

  @Test func theChangeCounterFollowsOwnAndForeignWritesAndRestsOtherwise() throws {
    let catalog = try home.open()
    let other = try home.open()
    var seen = try catalog.changeCounter()
    #expect(try catalog.changeCounter() == seen)
    _ = try catalog.insert([newJob("own", subject: nil)])
    #expect(try catalog.changeCounter() != seen)
    seen = try catalog.changeCounter()
    #expect(try catalog.changeCounter() == seen)
    _ = try other.insert([newJob("foreign", subject: nil)])
    #expect(try catalog.changeCounter() != seen)
  }

  @Test func aVerbReachesTheJobsProcessAndItsAnswerComesBack() throws {
    let worker = try home.open()
    let client = try home.open()
    let job = try worker.insert([newJob("job1")])[0]
    _ = try client.insert([newJob("mine", subject: nil)])
    let cancel = try client.request(.cancel, of: job.number)
    let pause = try client.request(.pause, of: job.number)
    #expect(try client.openRequests().isEmpty)
    #expect(
      try worker.openRequests() == [
        VerbRequest(number: cancel, job: job.number, id: job.id, verb: .cancel),
        VerbRequest(number: pause, job: job.number, id: job.id, verb: .pause),
      ])
    #expect(try client.answer(to: cancel) == nil)
    try worker.answer(cancel, with: .accepted)
    let refusal = JobError(.general, "Job 'job1' in state 'created' cannot accept command verb")
    try worker.answer(pause, with: .refused(refusal))
    #expect(try client.answer(to: cancel) == .accepted)
    #expect(try client.answer(to: pause) == .refused(refusal))
    #expect(try worker.openRequests().isEmpty)
  }

  @Test func aVerbForAnUnknownJobIsNotFound() throws {
    let catalog = try home.open()
    #expect(
      failure { _ = try catalog.request(.cancel, of: 4711) }
        == JobError(.notFound, "Job not found"))
    #expect(failure { _ = try catalog.answer(to: 7) }?.kind == .notFound)
  }

  @Test func theStatusLogTellsEveryChangeWithItsTime() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1", at: 1)])
    try catalog.move("job1", to: .running, at: 2)
    try catalog.move("job1", to: .concluded, at: 3)
    try catalog.move("job1", to: .null, at: 4)
    let log = try catalog.statusLog(of: JobID("job1"))
    #expect(log.map(\.status) == [.created, .running, .concluded, .null])
    #expect(log.map(\.time.microseconds) == [1, 2, 3, 4])
    #expect(
      failure { _ = try catalog.statusLog(of: JobID("ghost")) }
        == JobError(.notFound, "Job not found"))
  }

  @Test func theHistoryIsFilteredBySubjectIdAndDismissal() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("a", subject: "web")])
    _ = try catalog.insert([newJob("b", subject: "db")])
    _ = try catalog.insert([newJob("c", subject: nil)])
    try catalog.move("a", to: .concluded)
    try catalog.move("a", to: .null)
    func ids(_ jobs: [CatalogedJob]) -> [String] { jobs.map(\.record.id.description) }
    #expect(ids(try catalog.history(subject: nil, allSubjects: true)) == ["c", "b", "a"])
    #expect(ids(try catalog.history(subject: "web", allSubjects: false)) == ["a"])
    #expect(ids(try catalog.history(subject: nil, allSubjects: false)) == ["c"])
    #expect(
      ids(try catalog.history(subject: nil, allSubjects: true, includeDismissed: false))
        == ["c", "b"])
    #expect(ids(try catalog.history(subject: nil, allSubjects: true, id: JobID("b"))) == ["b"])
  }

  @Test func writersInManyThreadsAndCatalogsGetAllTheirJobsIn() async throws {
    let catalogs = [try home.open(), try home.open(), try home.open()]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<24 {
        group.addTask {
          let catalog = catalogs[index % catalogs.count]
          _ = try catalog.insert([newJob("job\(index)", subject: nil)])
          try catalog.move("job\(index)", to: .running)
        }
      }
      try await group.waitForAll()
    }
    #expect(try catalogs[0].jobs().count == 24)
    let numbers = try catalogs[1].events(after: 0).map(\.number)
    #expect(numbers == Array(1...48))
  }

  @Test func aRequestIsTakenUpOrWithdrawnAndNeverBoth() throws {
    let catalog = try home.open()
    let other = try home.open()
    let job = try #require(try catalog.insert([newJob("job1")]).first)
    let withdrawn = try other.request(.cancel, of: job.number)
    #expect(try other.withdraw(withdrawn))
    #expect(try catalog.openRequests().isEmpty)
    #expect(try !catalog.takeUp(withdrawn))
    #expect(try !other.withdraw(withdrawn))
    let taken = try other.request(.cancel, of: job.number)
    #expect(try catalog.takeUp(taken))
    #expect(try catalog.takeUp(taken))
    #expect(try !other.withdraw(taken))
    #expect(try catalog.openRequests().map(\.number) == [taken])
    try catalog.answer(taken, with: .accepted)
    #expect(try other.answer(to: taken) == .accepted)
  }
}
