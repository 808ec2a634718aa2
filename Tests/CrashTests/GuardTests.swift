import Testing

@testable import SnapshotJobs

/// Each guard of the commit protocol, taken out: the crashes must show it.
@Suite("Guards of commits") struct GuardTests {
  /// What is taken out.
  enum Guard: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case fsyncBeforeRecord, checkpointBeforeRedo, undoneBeforeUnfencing, comparisonOfFences
    case fence, rewriteOfPublished, intentBeforeFence, noReuseBeforePublish

    var testDescription: String { rawValue }

    var protection: Protection {
      var protection = Protection()
      switch self {
      case .fsyncBeforeRecord:
        protection.tables.several = [
          .intent, .put(.fenced, synchronizes: false), .record, .put(.after), .settle,
        ]
      case .checkpointBeforeRedo: protection.tables.decisionDurability = .trusted
      case .undoneBeforeUnfencing: protection.tables.writesUndoneFirst = false
      case .comparisonOfFences: protection.tables.knowsFencesByBytes = false
      case .fence: protection.tables.several = [.flush, .intent, .record, .put(.after), .settle]
      case .rewriteOfPublished: protection.trustsPageCache = true
      case .intentBeforeFence:
        protection.tables.several = [.put(.fenced), .intent, .record, .put(.after), .settle]
      case .noReuseBeforePublish: protection.reusesBeforePublish = true
      }
      return protection
    }

    /// Where it is needed.
    var scenarios: [Scenario] {
      let format = self == .fence ? Format.version2 : .version3
      let operations: [Operation] =
        self == .noReuseBeforePublish ? [.delete, .load] : [.load, .save]
      return operations.map { Scenario(operation: $0, format: format, diskCount: 2) }
    }
  }

  @Test("Without it, a crash loses something", arguments: Guard.allCases)
  func takenOut(_ missing: Guard) async {
    let campaign = Campaign(
      missing.scenarios, Campaign.Extent(fixedStateCount: 4000), protection: missing.protection,
      stopsAtDamage: true)
    await campaign.run()
    #expect(campaign.obstacles.isEmpty, "\(campaign.obstacles.joined(separator: "\n"))")
    #expect(campaign.tally.damageCount > 0)
    print("without \(missing): \(campaign.tally.examples.first ?? "nothing is lost")")
  }
}
