import Testing

@testable import SnapshotJobs

@Suite("The worker's way through a commit")
struct CommitWorkerTests {
  /// Reports everything that is offered as done, up to an action.
  private func worker(
    _ count: Int, waits: Bool = false, upTo action: CommitWorker.Action? = nil
  ) -> CommitWorker {
    var worker = CommitWorker(memberCount: count, waits: waits)
    while worker.ending == nil {
      for next in worker.actions {
        if next == action { return worker }
        worker.succeeded(next)
      }
    }
    return worker
  }

  /// What is done when nothing fails: what may be done side by side in one list.
  private func batches(_ worker: CommitWorker) -> [[CommitWorker.Action]] {
    var worker = worker
    var batches: [[CommitWorker.Action]] = []
    while worker.ending == nil {
      let actions = worker.actions
      batches.append(actions)
      for action in actions { worker.succeeded(action) }
    }
    return batches
  }

  // MARK: Order

  @Test("several images are fenced between intent and record, and published behind it")
  func several() {
    #expect(
      batches(CommitWorker(memberCount: 2)) == [
        [.writeIntent], [.write(.fenced, 0), .write(.fenced, 1)],
        [.synchronize(0), .synchronize(1)], [.writeRecord],
        [.write(.after, 0), .write(.after, 1)], [.synchronize(0), .synchronize(1)], [.settle],
      ])
    #expect(worker(2).ending == .committed)
  }

  @Test("several images that wait for somebody have their data flushed before the intent")
  func waiting() {
    let all = batches(CommitWorker(memberCount: 2, waits: true))
    #expect(all.first == [.flush(0), .flush(1)])
    #expect(Array(all.dropFirst()) == batches(CommitWorker(memberCount: 2)))
  }

  @Test("one image alone has neither fence nor record")
  func alone() {
    let expected: [[CommitWorker.Action]] = [
      [.flush(0)], [.writeIntent], [.write(.after, 0)], [.synchronize(0)], [.settle],
    ]
    #expect(batches(CommitWorker(memberCount: 1)) == expected)
    #expect(batches(CommitWorker(memberCount: 1, waits: true)) == expected)
    #expect(worker(1).ending == .committed)
  }

  @Test("the record waits until the last fence is durable")
  func recordWaits() {
    var worker = worker(2, upTo: .synchronize(0))
    worker.succeeded(.synchronize(1))
    #expect(worker.actions == [.synchronize(0)])
    worker.succeeded(.synchronize(0))
    #expect(worker.actions == [.writeRecord])
  }

  @Test("a commit is announced between its intent and its next step only")
  func announced() {
    var worker = worker(2, upTo: .writeIntent)
    #expect(!worker.isAnnounced)
    worker.succeeded(.writeIntent)
    #expect(worker.isAnnounced)
    worker.succeeded(.write(.fenced, 0))
    #expect(!worker.isAnnounced)
  }

  // MARK: Failures before the commit point

  @Test("where nothing was entered yet, giving the clusters back is all there is to undo")
  func flushFails() {
    var worker = worker(2, waits: true, upTo: .flush(0))
    worker.failed(.flush(0), isAmbiguous: true)
    #expect(batches(worker) == [[.giveBack(0), .giveBack(1)]])
  }

  @Test(
    "an intent that may be there is entered as undone; one that is not is left alone",
    arguments: [true, false])
  func intentFails(_ isAmbiguous: Bool) {
    var worker = worker(2, upTo: .writeIntent)
    worker.failed(.writeIntent, isAmbiguous: isAmbiguous)
    #expect(
      batches(worker)
        == [[.giveBack(0), .giveBack(1)]] + (isAmbiguous ? [[.writeUndone]] : []))
  }

  @Test(
    "images that may have a fence get their old sector back before undone is entered",
    arguments: [true, false])
  func fenceFails(_ isAmbiguous: Bool) {
    var worker = worker(2, upTo: .write(.fenced, 0))
    worker.failed(.write(.fenced, 0), isAmbiguous: isAmbiguous)
    // The other one was begun before.
    worker.succeeded(.write(.fenced, 1))
    let touched = isAmbiguous ? [0, 1] : [1]
    #expect(
      batches(worker) == [
        [.giveBack(0), .giveBack(1)], touched.map { .write(.before, $0) },
        touched.map { .synchronize($0) }, [.writeUndone],
      ])
  }

  @Test("an fsync of a fence that fails takes every fence back")
  func fenceFsyncFails() {
    var worker = worker(2, upTo: .synchronize(0))
    worker.succeeded(.synchronize(0))
    worker.failed(.synchronize(1), isAmbiguous: true)
    var ended = worker
    while ended.ending == nil { for action in ended.actions { ended.succeeded(action) } }
    #expect(ended.ending == .rolledBack)
    #expect(batches(worker).contains([.write(.before, 0), .write(.before, 1)]))
  }

  @Test(
    "an old sector that cannot be written back leaves the commit to recovery",
    arguments: [CommitWorker.Action.write(.before, 0), .synchronize(0)])
  func undoFails(_ failing: CommitWorker.Action) {
    var worker = worker(2, upTo: .synchronize(0))
    worker.failed(.synchronize(0), isAmbiguous: true)
    worker.succeeded(.synchronize(1))
    while worker.ending == nil {
      for action in worker.actions {
        if action == failing {
          worker.failed(action, isAmbiguous: true)
        } else {
          #expect(action != .writeUndone)
          worker.succeeded(action)
        }
      }
    }
    #expect(worker.ending == .inDoubt)
  }

  @Test("undone that cannot be entered changes nothing: no image has anything left")
  func undoneFails() {
    var worker = worker(2, upTo: .writeRecord)
    worker.failed(.writeRecord, isAmbiguous: false)
    while worker.actions != [.writeUndone] {
      for action in worker.actions { worker.succeeded(action) }
    }
    worker.failed(.writeUndone, isAmbiguous: true)
    #expect(worker.ending == .rolledBack)
  }

  // MARK: Failures at the commit point and behind it

  @Test("a record that was not written is undone; one that may be there is looked for")
  func recordFails() {
    var without = worker(2, upTo: .writeRecord)
    without.failed(.writeRecord, isAmbiguous: false)
    #expect(without.actions == [.giveBack(0), .giveBack(1)])
    var unclear = worker(2, upTo: .writeRecord)
    unclear.failed(.writeRecord, isAmbiguous: true)
    #expect(unclear.actions == [.recover])
  }

  @Test(
    "what recovery has found is how the worker ends",
    arguments: [CommitWorker.Ending.committed, .rolledBack, .inDoubt])
  func recovered(_ ending: CommitWorker.Ending) {
    var worker = worker(2, upTo: .writeRecord)
    worker.failed(.writeRecord, isAmbiguous: true)
    worker.recovered(ending)
    #expect(worker.ending == ending)
    #expect(worker.actions.isEmpty)
  }

  @Test(
    "an image that cannot be published does not keep the others from it",
    arguments: [true, false])
  func publishFails(_ isAmbiguous: Bool) {
    var worker = worker(2, upTo: .write(.after, 0))
    worker.failed(.write(.after, 0), isAmbiguous: isAmbiguous)
    #expect(worker.ending == nil)
    worker.succeeded(.write(.after, 1))
    #expect(worker.actions == [.synchronize(1)])
    worker.succeeded(.synchronize(1))
    #expect(worker.ending == .inDoubt)
  }

  @Test("one image whose fsync fails is fenced, so that nobody builds on it")
  func aloneFails() {
    var worker = worker(1, upTo: .synchronize(0))
    worker.failed(.synchronize(0), isAmbiguous: true)
    #expect(batches(worker) == [[.write(.afterFenced, 0)], [.synchronize(0)]])
    worker.failed(.write(.afterFenced, 0), isAmbiguous: true)
    #expect(worker.ending == .inDoubt)
  }

  @Test("one image whose new sector was not written is as before")
  func aloneNotWritten() {
    var worker = worker(1, upTo: .write(.after, 0))
    worker.failed(.write(.after, 0), isAmbiguous: false)
    #expect(batches(worker) == [[.giveBack(0)], [.writeUndone]])
  }

  @Test("a settlement that fails takes nothing away", arguments: [1, 2])
  func settleFails(_ count: Int) {
    var worker = worker(count, upTo: .settle)
    worker.failed(.settle, isAmbiguous: true)
    #expect(worker.ending == .committed)
  }

  // MARK: Cancelling

  @Test("a commit can be cancelled up to the record, and not from then on", arguments: [1, 2])
  func cancel(_ count: Int) {
    let all = batches(CommitWorker(memberCount: count)).flatMap(\.self)
    let point = all.firstIndex(of: count == 1 ? .synchronize(0) : .write(.after, 0))
    // Behind the first fsync of several images the same action comes again.
    for (index, action) in all.enumerated() where count == 1 || action != .synchronize(0) {
      if action.member == 1 { continue }
      var worker = worker(count, upTo: action)
      worker.cancel()
      let isUndoing = worker.actions.contains(.giveBack(0))
      #expect(isUndoing == (index < point ?? 0), "\(action)")
    }
  }

  @Test("reports behind the end change nothing")
  func late() {
    let ended = worker(2)
    var worker = ended
    worker.succeeded(.writeRecord)
    worker.failed(.settle, isAmbiguous: true)
    worker.cancel()
    #expect(worker == ended)
  }
}
