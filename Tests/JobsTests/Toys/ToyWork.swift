import Glibc
import Synchronization

@testable import Jobs

/// What toy jobs and committers did, in order.
final class Diary: Sendable {
  private let lines = Guarded<[String]>([])

  func note(_ line: String) { lines.withLock { lines in lines.append(line) } }

  var entries: [String] { lines.withLock { lines in lines } }
}

/// A door that a test opens for a job's thread.
final class Gate: Sendable {
  private let opened = Atomic<Bool>(false)

  var isOpen: Bool { opened.load(ordering: .acquiring) }

  func open() { opened.store(true, ordering: .releasing) }

  /// Blocks a job's thread until the gate is open; passes checkpoints meanwhile.
  func pass(_ control: JobControl) throws(JobError) {
    while !isOpen {
      try control.checkpoint()
      usleep(500)
    }
  }

  /// Blocks without checkpoints.
  func passBlindly() {
    while !isOpen { usleep(500) }
  }
}

/// A failure that is no `JobError`.
struct ToyFailure: Error, CustomStringConvertible {
  let description: String
}

/// A job on nothing, which does what a test says and keeps a diary.
struct ToyWork: JobWork {
  let name: String
  let diary: Diary
  var undoFailure: ToyFailure?
  var finishFailure: ToyFailure?
  var body: @Sendable (JobControl) throws -> Void = { _ in }

  func prepare(_ control: JobControl) throws -> any PreparedWork {
    diary.note("prepare \(name)")
    try body(control)
    diary.note("prepared \(name)")
    return ToyPrepared(work: self)
  }
}

struct ToyPrepared: PreparedWork {
  let work: ToyWork

  func undo() throws {
    work.diary.note("undo \(work.name)")
    if let failure = work.undoFailure { throw failure }
  }

  func finish() throws -> String? {
    work.diary.note("finish \(work.name)")
    if let failure = work.finishFailure { throw failure }
    return "{\"did\": \"\(work.name)\"}"
  }

  func abandon() { work.diary.note("abandon \(work.name)") }
}

/// A committer that ends as a test says.
struct ToyCommitter: Committer {
  let diary: Diary
  var outcome = CommitOutcome.committed
  /// Why the commit cannot be noted; nil if it can.
  var refusal: JobError?
  /// The commit ends when this is open.
  var gate: Gate?

  func announce(
    _ members: [CommitMember], waits: Bool
  ) throws(JobError) -> any AnnouncedCommit {
    if let refusal { throw refusal }
    return ToyCommit(committer: self, names: members.map(\.id.description).joined(separator: " "))
  }
}

/// A commit that is noted.
private struct ToyCommit: AnnouncedCommit {
  let committer: ToyCommitter
  let names: String

  func commit() -> CommitOutcome {
    committer.diary.note("commit " + names)
    committer.gate?.passBlindly()
    return committer.outcome
  }

  func cancel() { committer.diary.note("call off " + names) }
}
