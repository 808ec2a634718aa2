import FoundationEssentials
import Glibc
import Testing

@testable import SnapshotJobs

/// Explores the histories of a commit, with the protocol as it is and with one entry of it changed.
///
/// `SNAPJOB_TESTS=full` explores the larger worlds as well.
@Suite("Exploration of all histories")
struct ExplorationTests {
  private static let isFull = ProcessInfo.processInfo.environment["SNAPJOB_TESTS"] == "full"

  /// The figures stand in the tests' output; at once, for the larger worlds take minutes.
  private func tell(_ line: String) {
    print(line)
    fflush(nil)
  }

  // MARK: The protocol as it is

  private static let sample: [Scenario] = [
    Scenario(
      memberCount: 1, recoveries: 1, hasOtherCatalog: true, mayBeAway: false, mayBeHeld: false,
      leavesChainOpen: false),
    Scenario(memberCount: 1, recoveries: 1, leavesChainOpen: false),
    Scenario(failures: 0),
    Scenario(mayBeAway: false, mayBeHeld: false),
  ]

  private static let larger: [Scenario] = [
    Scenario(),
    Scenario(memberCount: 1, recoveries: 2, hasOtherCatalog: true, leavesChainOpen: false),
    Scenario(mayBeAway: false, mayBeHeld: false, swapsNames: true),
    Scenario(failures: 0, mayBeAway: false, mayBeHeld: false, restoresCatalog: true),
    Scenario(waits: true, mayBeAway: false, mayBeHeld: false),
    Scenario(mayBeAway: false, mayBeHeld: false, startsWithHole: true),
    Scenario(mayBeAway: false, mayBeHeld: false, prunes: false),
    Scenario(failures: 2, mayBeAway: false, mayBeHeld: false),
    Scenario(failures: 0, hasOtherCatalog: true),
    Scenario(failures: 0, recoveries: 2),
    Scenario(powerLosses: 0, failures: 0, recoveries: 2, isFineGrained: true),
  ]

  @Test(
    "no history loses data, mixes disks or never ends",
    arguments: sample + (isFull ? larger : []))
  func holds(_ scenario: Scenario) {
    let exploration = Exploration(scenario)
    exploration.run()
    tell("\(scenario): \(exploration.summary)")
    #expect(exploration.violation == nil, "\(exploration.violation?.description ?? "")")
  }

  @Test("of one image alone only a kill between a failed fsync and its fence is left open")
  func openChain() {
    let exploration = Exploration(
      Scenario(memberCount: 1, mayBeAway: false, mayBeHeld: false))
    exploration.run()
    tell("one image, with the open chain: \(exploration.summary)")
    #expect(exploration.violation == nil, "\(exploration.violation?.description ?? "")")
    #expect(
      exploration.openChain?.problem
        == "a durable write of another program is not in the visible tree")
    #expect(exploration.openChainCount > 0)
  }

  // MARK: The protocol with one entry changed

  @Test("each entry of the protocol is needed", arguments: ProtocolBreak.all)
  func isFound(_ broken: ProtocolBreak) {
    let exploration = Exploration(broken.scenario)
    exploration.run()
    tell("\(broken): \(exploration.summary)")
    #expect(exploration.violation != nil)
  }

  @Test(
    "where an entry is as it shall be, the same exploration finds nothing",
    arguments: isFull ? ProtocolBreak.all : ProtocolBreak.all.filter { $0.base.failures == 0 })
  func isHarmlessUnchanged(_ broken: ProtocolBreak) {
    let exploration = Exploration(broken.base)
    exploration.run()
    tell("\(broken), unchanged: \(exploration.summary)")
    #expect(exploration.violation == nil, "\(exploration.violation?.description ?? "")")
  }
}
