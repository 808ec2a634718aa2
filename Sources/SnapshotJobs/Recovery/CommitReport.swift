internal import Jobs
internal import Qcow2

/// What recovery of a commit has to tell: sentences for people, and the failures with their kinds. All
/// commands that meet the commit say the same.
struct CommitReport {
  private let intent: CommitIntent
  private let outcomes: [RecoveryWorker.Outcome]
  private let workerPID: Int32
  private let isForecast: Bool

  /// A report.
  ///
  /// - Parameters:
  ///   - row: the commit.
  ///   - outcomes: what was done about each image.
  ///   - isForecast: whether it only would be done.
  init(_ row: CommitRow, _ outcomes: [RecoveryWorker.Outcome], isForecast: Bool = false) {
    self.isForecast = isForecast
    intent = row.intent
    workerPID = row.workerPID
    self.outcomes = outcomes
  }

  /// How the commit is named in sentences; that of a command without a job has no name.
  private var label: String {
    intent.jobs.isEmpty
      ? "A commit" : "The commit of job \(intent.jobs.map(\.description).joined(separator: ", "))"
  }

  /// What closes the commit whatever the disks are like.
  private var abandonStep: NextStep {
    let target = intent.jobs.first.map { [$0.description, "--abandon"] }
    let file = intent.members.first?.path ?? "FILE"
    return NextStep(["recover"] + (target ?? ["--abandon", "--file", file]))
  }

  /// What shows the disks' snapshots side by side.
  private var comparison: NextStep { NextStep(["list", "--file"] + intent.members.map(\.path)) }

  /// What ends a job that waits; empty for a commit without one.
  private var waiting: String {
    guard let job = intent.jobs.first?.description else { return "" }
    return ", or waits for \(NextStep("job", "finalize", job)) or \(NextStep("job", "cancel", job))"
  }

  /// Each image with what was done about it.
  var images: [String] {
    zip(intent.members, outcomes).map { member, outcome in
      let text = isForecast && outcome == .confirmed ? "would be finished" : outcome.text
      let isNamed = text.hasPrefix("\(member.path): ")
      return "\(member.node): \(isNamed ? text : "\(member.path): \(text)")"
    }
  }

  private func named(_ isWanted: (RecoveryWorker.Outcome) -> Bool) -> [String] {
    zip(intent.members, outcomes).filter { isWanted($1) }.map { "\($0.node): \($1.text)" }
  }

  private var left: [String] {
    named { if case .told = $0 { true } else { false } }
  }

  /// What happened, as a sentence.
  func sentence(_ decision: CommitDecision) -> String {
    jobFailure(decision)?.message ?? "The commit was brought to its end on every disk."
  }

  /// Why the jobs of a settled commit have failed; nil if they are done.
  func jobFailure(_ decision: CommitDecision) -> JobError? {
    switch decision {
    case .record where left.isEmpty: nil
    case .record:
      JobError(
        .general,
        "The commit was brought to its end, but not on these disks, which were left alone: "
          + left.joined(separator: "; "))
    case .undone where left.isEmpty:
      JobError(
        .general,
        "The process that ran the job ended before its commit; every disk is as it was before it")
    case .undone:
      JobError(
        .conflict,
        "The commit was taken back, but not on these disks, which were left alone: "
          + left.joined(separator: "; ")
          + ". The catalog or a disk was put back from a copy; compare them: \(comparison)")
    case .unknown:
      JobError(
        .general,
        "The process ended in the middle of its commit, and the disk has been changed since: whether the job "
          + "came about is not known. See: \(comparison)")
    }
  }

  /// The failure that those meet who want to use an image of the commit.
  func obstacle(_ ending: RecoveryWorker.Ending, _ failure: JobError?) -> JobError? {
    switch ending {
    case .settled, .settledByOthers: return nil
    case .busy:
      return JobError(
        .inUse,
        "\(label) is in the hands of process \(workerPID), which lives: it is at it\(waiting)")
    case .failed:
      let cause = failure ?? JobError(.general, "its state could not be written")
      return JobError(
        cause.kind,
        "\(label) could not be brought to its end: \(cause.message). When that is mended: "
          + "\(NextStep("recover"))")
    case .waits:
      let waiting = named { if case .waits = $0 { true } else { false } }
      let isForeign = outcomes.contains { outcome in
        if case .waits(.foreignFence) = outcome { true } else { false }
      }
      return JobError(
        isForeign ? .conflict : .inUse,
        "\(label) waits for \(waiting.joined(separator: "; ")). It goes on by itself with the next "
          + "command when the disk is back (\(NextStep("recover"))); for a disk that never returns: "
          + "\(abandonStep)")
    }
  }
}

extension RecoveryWorker.Outcome {
  /// What to tell the user.
  fileprivate var text: String {
    switch self {
    case .open: "not looked at"
    case .confirmed: "finished"
    case .passed(let state): "\(state.text) (in use; looked at again later)"
    case .told(let state), .waits(let state): state.text
    case .failed: "could not be written"
    }
  }
}

extension MemberState {
  /// What to tell the user.
  var text: String {
    switch self {
    case .fenced(_, _, let isHeld): isHeld ? "fenced, and in use" : "fenced"
    case .published: "has the new state"
    case .plain:
      "has neither the new state nor the fence: somebody has replaced the file or its header"
    case .foreignFence(let mark, _): "belongs to an unfinished commit of catalog \(mark.catalog)"
    case .away(let error): error.message
    case .other(let reason): reason
    }
  }
}
