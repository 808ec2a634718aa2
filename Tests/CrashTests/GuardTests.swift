import Glibc
import Testing

@testable import SnapshotJobs

/// Each guard of the commit protocol, taken out: the crashes must show it.
@Suite("Guards of commits") struct GuardTests {
  /// What is taken out.
  enum Guard: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case fsyncBeforeRecord, checkpointBeforeRedo, undoneBeforeUnfencing, comparisonOfFences
    case fence, lockBeforeReading, rewriteOfPublished, intentBeforeFence, noReuseBeforePublish

    var testDescription: String { rawValue }

    var protection: Protection {
      var protection = Protection()
      switch self {
      case .fsyncBeforeRecord:
        protection.tables.several = [
          .intent, .put(.fenced, synchronizes: false), .record, .put(.after), .settle,
        ]
      case .checkpointBeforeRedo:
        protection.tables.decisionDurability = .trusted
        // A published image would bring a lost record back.
        protection.tables.publishedProvesRecord = false
      case .undoneBeforeUnfencing: protection.tables.writesUndoneFirst = false
      case .comparisonOfFences: protection.tables.knowsFencesByBytes = false
      case .fence: protection.tables.several = [.flush, .intent, .record, .put(.after), .settle]
      case .lockBeforeReading:
        // What "undone" stands for twice must not hide it.
        protection.tables.recovery = [.read, .lock, .decide, .members, .settle]
        protection.tables.writesUndoneFirst = false
        protection.isOvertaken = true
      case .rewriteOfPublished: protection.trustsPageCache = true
      case .intentBeforeFence:
        protection.tables.several = [.put(.fenced), .intent, .record, .put(.after), .settle]
      case .noReuseBeforePublish: protection.reusesBeforePublish = true
      }
      return protection
    }

    /// What makes it needed.
    var focus: Focus {
      switch self {
      case .checkpointBeforeRedo:
        // What the process enters next overwrites the record whose fsync has failed: it has to end before.
        Focus(
          failures: [.catalogSync], kills: [], triesPlainCrashes: false, eventsAfterFailure: 0,
          actPercentage: 0, recoveryCrashPercentage: 100, statesOfRecovery: 100)
      case .undoneBeforeUnfencing:
        Focus(failures: [], kills: [.catalogSync], triesPlainCrashes: false, actPercentage: 0)
      case .rewriteOfPublished:
        Focus(
          failures: [.imageSync], kills: [], triesPlainCrashes: false, actPercentage: 0,
          loneActPercentage: 0, recoveryCrashPercentage: 100, statesOfRecovery: 100,
          earlyLossPercentage: 0)
      case .lockBeforeReading:
        Focus(failures: [], kills: [.imageWrite], triesPlainCrashes: false, actPercentage: 0)
      case .fsyncBeforeRecord, .comparisonOfFences, .fence, .intentBeforeFence,
        .noReuseBeforePublish:
        Focus()
      }
    }

    /// Where it is needed.
    var scenarios: [Scenario] {
      let format = self == .fence ? Format.version2 : .version3
      let operations: [Operation] =
        self == .noReuseBeforePublish ? [.delete, .load] : [.load, .save]
      // Over several images a later command mends it, or nobody goes back.
      let diskCount = [.rewriteOfPublished, .noReuseBeforePublish].contains(self) ? 1 : 2
      return operations.map { Scenario(operation: $0, format: format, diskCount: diskCount) }
    }
  }

  @Test("Without it, a crash loses something", arguments: Guard.allCases)
  func takenOut(_ missing: Guard) async {
    let campaign = Campaign(
      missing.scenarios, Campaign.Extent(fixedStateCount: 3000), protection: missing.protection,
      focus: missing.focus, stopsAtDamage: true)
    await campaign.run()
    #expect(campaign.obstacles.isEmpty, "\(campaign.obstacles.joined(separator: "\n"))")
    #expect(campaign.tally.damageCount > 0, "after \(campaign.tally.total.states) states")
    let example = campaign.tally.examples.first ?? "nothing is lost"
    print("without \(missing): \(example.prefix(500))")
    fflush(nil)
  }
}
