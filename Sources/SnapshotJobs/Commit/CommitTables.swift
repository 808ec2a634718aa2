/// The commit protocol as tables: what the worker does in which order, and what recovery does with what it
/// finds.
///
/// ``CommitWorker`` and ``RecoveryWorker`` go through them; nothing of the protocol's order stands anywhere
/// else. The tests change single entries and see that an exploration of all histories finds the damage.
struct CommitTables: Sendable, Hashable {
  /// Which of the first sectors that a commit knows of one image.
  enum Sector: Sendable, Hashable, CaseIterable {
    /// As it was.
    case before
    /// As it was, fenced.
    case fenced
    /// As it shall be.
    case after
    /// As it shall be, fenced; one image alone gets it where nobody knows whether `after` is durable.
    case afterFenced
  }

  /// A step of the worker. What it does to images it does to all of them side by side.
  enum Step: Sendable, Hashable {
    /// Make durable what prepare has written.
    case flush
    /// Name the images and their sectors in the catalog, durably.
    case intent
    /// Write a sector; its fsync makes durable whatever was written to the image before.
    case put(Sector, synchronizes: Bool = true)
    /// Say in the catalog that the commit happens, durably: the commit point of several images.
    case record
    /// Say in the catalog that nothing is left to do.
    case settle
  }

  /// What follows a step that failed.
  enum Failure: Sendable, Hashable {
    /// Nothing has happened: take everything back.
    case undo
    /// Nobody knows whether the record is there: find out as recovery does, under the locks that are held.
    case recover
    /// Nobody knows whether the new sector is durable: fence the image, so that nobody builds on it.
    case fence
    /// Leave it to recovery.
    case leave
    /// Everything has happened.
    case ignore
  }

  /// What the worker does with several images.
  var several: [Step] = [.intent, .put(.fenced), .record, .put(.after), .settle]
  /// What it does with several images whose data wait for somebody to finalize the job.
  var severalWaiting: [Step] = [
    .flush, .intent, .put(.fenced), .record, .put(.after), .settle,
  ]
  /// What the worker does with one image alone: the write of `after` is the commit point.
  var alone: [Step] = [.flush, .intent, .put(.after), .settle]

  /// What follows an error of the record's COMMIT after which it may be there all the same.
  var afterAmbiguousRecord = Failure.recover
  /// What follows an fsync of `after` that failed, on one image alone.
  var afterAloneFailed = Failure.fence

  /// What follows a failed step.
  ///
  /// - Parameters:
  ///   - step: the step.
  ///   - isAlone: whether the commit is over one image.
  ///   - isAmbiguous: whether the step may have come about all the same.
  /// - Returns: what to do.
  func failure(of step: Step, isAlone: Bool, isAmbiguous: Bool) -> Failure {
    switch step {
    case .flush, .intent, .put(.before, _), .put(.fenced, _): .undo
    case .record: isAmbiguous ? afterAmbiguousRecord : .undo
    case .put(.after, _), .put(.afterFenced, _):
      !isAlone ? .leave : isAmbiguous ? afterAloneFailed : .undo
    case .settle: .ignore
    }
  }

  // MARK: Recovery

  /// A step of recovery.
  enum RecoveryStep: Sendable, Hashable {
    /// Take the lock of the worker and of each image that can be had: no record can appear from here on.
    case lock
    /// Read the commit's row.
    case read
    /// Make the decision durable.
    case decide
    /// Bring each image to what was decided.
    case members
    /// Say in the catalog that nothing is left to do.
    case settle
  }

  /// What recovery does to one image.
  enum Treatment: Sendable, Hashable {
    /// Write a sector of the image that it is, and make it durable.
    case put(Sector, synchronizes: Bool = true)
    /// Write the same bytes again, and make them durable: an fsync that failed leaves them in the page cache
    /// alone, and another fsync would say "fine".
    case rewrite
    /// Make durable what is there, without writing it.
    case synchronize
    /// It is as it shall be.
    case confirm
    /// It is as it shall be, as far as can be seen; it is looked at again when it is free.
    case pass
    /// It is not what the commit was about any more: leave it, and tell.
    case tell
    /// It cannot be finished now.
    case wait
  }

  /// Recovery's steps.
  var recovery: [RecoveryStep] = [.lock, .read, .decide, .members, .settle]
  /// Whether a published image proves that there was a record.
  var publishedProvesRecord = true
  /// Whether "undone" is durable before the first image is unfenced.
  var writesUndoneFirst = true
  /// How a decision is made durable before the first image is written.
  var decisionDurability = DecisionDurability.checkpoint
  /// Whether that is done with a decision that recovery itself has just entered, too: its FULL commit is lost where
  /// frames before it are missing on the disk.
  var securesOwnDecision = true
  /// Whether a fenced image is taken for the member whose fence it has, whatever its path.
  var knowsFencesByBytes = true

  /// How recovery sees to it that a decision is on the disk.
  enum DecisionDurability: Sendable, Hashable {
    /// Nothing.
    case trusted
    /// Another FULL commit: not enough where an fsync of the log has failed before.
    case fullCommit
    /// A complete checkpoint, and a FULL commit that begins the log anew: frames of the old log that reached the
    /// disk would be replayed over the database otherwise.
    case checkpoint
  }

  /// Several images, the record is there.
  var redo: [MemberState.Kind: Treatment] = [
    .fenced: .put(.after), .published: .rewrite, .plain: .tell, .foreignFence: .wait, .away: .wait,
    .other: .tell, .heldPublished: .pass, .heldPlain: .tell, .heldFenced: .wait,
    .heldForeignFence: .wait,
  ]

  /// Several images, "undone" is there.
  var undo: [MemberState.Kind: Treatment] = [
    .fenced: .put(.before), .published: .tell, .plain: .rewrite, .foreignFence: .pass, .away: .wait,
    .other: .tell, .heldPublished: .tell, .heldPlain: .pass, .heldFenced: .wait,
    .heldForeignFence: .pass,
  ]
}
