internal import Jobs
internal import Qcow2

/// What recovery does with a commit record: the first rule that fits decides.
enum RecoveryVerdict: Sendable {
  /// An image cannot be looked at: nothing is written, the job stays pending.
  case wait(JobError)
  /// Every image is old or new and nobody else has written: the rest is published.
  case forward
  /// No published image has been opened by others: they go back.
  case back
  /// The snapshot tables show the job complete on every image.
  case complete
  /// What is left is done by ordinary jobs: a save is taken back, a delete is completed.
  case byJobs
  /// Nothing can be done without losing what somebody wrote: the user decides.
  case stuck

  /// Decides.
  init(_ record: CommitRecord, _ states: [CommitState]) {
    var isWritten = false
    var isForeign = false
    for state in states {
      switch state {
      case .outOfReach(let error):
        self = .wait(error)
        return
      case .published(_, let isOpened): isWritten = isWritten || isOpened
      case .ready: break
      case .touched, .foreign: isForeign = true
      }
    }
    if !isForeign {
      self = .forward
    } else if !isWritten {
      self = .back
    } else {
      switch record.nature {
      case .plainSave(let tag):
        let isComplete = states.allSatisfy { state in
          state.image?.snapshots.contains { $0.isCalled(tag) } ?? false
        }
        self = isComplete ? .complete : .byJobs
      case .plainDelete(let tags):
        let isComplete = states.allSatisfy { state in
          state.image.map { image in
            !image.snapshots.contains { snapshot in tags.contains(where: snapshot.isCalled) }
          } ?? false
        }
        self = isComplete ? .complete : .byJobs
      case .deviceState: self = .byJobs
      case .other: self = .stuck
      }
    }
  }
}
