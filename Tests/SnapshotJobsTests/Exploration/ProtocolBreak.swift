@testable import SnapshotJobs

/// One entry of the protocol changed, and the smallest world in which an exploration finds the damage.
struct ProtocolBreak: Sendable, CustomStringConvertible {
  let name: String
  /// The world with the protocol as it is.
  let base: Scenario
  /// The world with the change.
  let scenario: Scenario

  var description: String { name }

  /// A break.
  ///
  /// - Parameters:
  ///   - name: what is left out.
  ///   - base: the world, with the protocol as it is.
  ///   - change: what is changed.
  init(_ name: String, in base: Scenario, _ change: (inout Scenario) -> Void) {
    self.name = name
    self.base = base
    var scenario = base
    change(&scenario)
    self.scenario = scenario
  }

  /// Every entry that is changed.
  static let all = worker + recovery

  // MARK: Worlds

  private static let twoImages = Scenario(failures: 0, mayBeAway: false, mayBeHeld: false)
  private static let twoImagesWithFailure = Scenario(mayBeAway: false, mayBeHeld: false)
  private static let keepingRows = Scenario(
    failures: 0, mayBeAway: false, mayBeHeld: false, prunes: false)
  private static let oneImage = Scenario(
    memberCount: 1, mayBeAway: false, mayBeHeld: false, leavesChainOpen: false)
  /// Without the frames that come back from the log: what reads before it locks is shown by itself there.
  private static let withoutUndoneFirst = {
    var scenario = Scenario(
      powerLosses: 0, failures: 0, mayBeAway: false, mayBeHeld: false, rebuildsIndex: false)
    scenario.tables.writesUndoneFirst = false
    return scenario
  }()

  // MARK: The worker

  private static let worker: [ProtocolBreak] = [
    ProtocolBreak("fence behind the record", in: keepingRows) { scenario in
      scenario.tables.several = [
        .flush, .intent, .record, .put(.fenced), .put(.after), .settle,
      ]
      scenario.tables.redo[.plain] = .put(.after)
    },
    ProtocolBreak("no intent", in: keepingRows) { scenario in
      scenario.tables.several.removeAll { $0 == .intent }
    },
    ProtocolBreak("no fsync of the fences", in: keepingRows) { scenario in
      scenario.tables.several[1] = .put(.fenced, synchronizes: false)
    },
    ProtocolBreak("no fence", in: keepingRows) { scenario in
      scenario.tables.several = [.flush, .intent, .record, .put(.after), .settle]
      scenario.tables.redo[.plain] = .put(.after)
    },
    ProtocolBreak("no fence on an image of version 2", in: keepingRows) { scenario in
      scenario.leavesFirstUnfenced = true
      scenario.tables.redo[.plain] = .put(.after)
    },
    ProtocolBreak("settled before the published are durable", in: twoImages) { scenario in
      scenario.tables.several[3] = .put(.after, synchronizes: false)
    },
    ProtocolBreak("undone after an ambiguous error of the record", in: twoImagesWithFailure) {
      scenario in
      scenario.tables.afterAmbiguousRecord = .undo
    },
    ProtocolBreak("one image alone without the fence after a failed fsync", in: oneImage) {
      scenario in
      scenario.tables.afterAloneFailed = .leave
    },
    ProtocolBreak(
      "an intent behind a hole in the log",
      in: Scenario(failures: 0, mayBeAway: false, mayBeHeld: false, startsWithHole: true)
    ) { scenario in
      scenario.securesBeforeIntent = false
    },
  ]

  // MARK: Recovery

  private static let recovery: [ProtocolBreak] = [
    ProtocolBreak("a record that is read is trusted", in: keepingRows) { scenario in
      scenario.tables.decisionDurability = .trusted
    },
    ProtocolBreak(
      "a FULL commit for the checkpoint",
      in: Scenario(mayBeAway: false, mayBeHeld: false, prunes: false)
    ) { scenario in
      scenario.tables.decisionDurability = .fullCommit
    },
    ProtocolBreak("a checkpoint that does not begin the log anew", in: twoImagesWithFailure) {
      scenario in
      scenario.checkpointRestarts = false
    },
    ProtocolBreak("an undone that is read is trusted", in: twoImages) { scenario in
      scenario.securesUndone = false
    },
    ProtocolBreak(
      "an undone of its own is trusted",
      in: Scenario(failures: 2, mayBeAway: false, mayBeHeld: false, hasGuests: false)
    ) { scenario in
      scenario.tables.securesOwnDecision = false
    },
    ProtocolBreak("the intent of one image alone is trusted", in: oneImage) { scenario in
      scenario.tables.decisionDurability = .trusted
    },
    ProtocolBreak("published in the page cache is trusted", in: twoImagesWithFailure) {
      scenario in
      scenario.tables.redo[.published] = .confirm
    },
    ProtocolBreak("published is only fsynced", in: twoImagesWithFailure) { scenario in
      scenario.tables.redo[.published] = .synchronize
    },
    ProtocolBreak("plain in the page cache is trusted", in: twoImagesWithFailure) { scenario in
      scenario.tables.undo[.plain] = .confirm
    },
    ProtocolBreak("written without a look at the fence", in: keepingRows) { scenario in
      scenario.tables.redo[.plain] = .put(.after)
      scenario.tables.redo[.published] = .put(.after)
    },
    ProtocolBreak(
      "known by its path",
      in: Scenario(
        failures: 0, mayBeAway: false, mayBeHeld: false, prunes: false, swapsNames: true)
    ) { scenario in
      scenario.tables.knowsFencesByBytes = false
    },
    ProtocolBreak("read before the lock", in: withoutUndoneFirst) { scenario in
      scenario.tables.recovery = [.read, .lock, .decide, .members, .settle]
    },
    ProtocolBreak("settled before the unfenced are durable", in: twoImages) { scenario in
      scenario.tables.undo[.fenced] = .put(.before, synchronizes: false)
    },
    ProtocolBreak(
      "no id of another catalog kept",
      in: Scenario(
        powerLosses: 0, failures: 0, hasOtherCatalog: true, mayBeAway: false, mayBeHeld: false,
        prunes: false)
    ) { scenario in
      scenario.keepsOthersMark = false
    },
    ProtocolBreak("unfenced before undone is durable", in: twoImages) { scenario in
      scenario.tables.writesUndoneFirst = false
    },
    ProtocolBreak(
      "published proves nothing",
      in: Scenario(
        powerLosses: 0, failures: 0, mayBeAway: false, mayBeHeld: false, restoresCatalog: true)
    ) { scenario in
      scenario.tables.publishedProvesRecord = false
    },
  ]
}
