import FoundationEssentials
import Glibc
import Testing

/// Everything that a crash can leave, recovered and judged by qemu-img.
@Suite("Crashes") struct CrashTests {
  @Test(
    "After a crash anywhere, all disks are old or all new, and nothing that others wrote is lost")
  func everywhere() async throws {
    let extent = Campaign.Extent()
    let campaign = Campaign(extent.scenarios, extent)
    await campaign.run()
    let kills = KillCampaign(count: extent.killCount, seed: extent.seed, tally: campaign.tally)
    await kills.run(threadCount: extent.threadCount)

    let table = campaign.tally.table(Scenario.allRows + [KillCampaign.row])
    print(table)
    if let path = getenv("SNAPJOB_CRASH_TABLE").map({ String(cString: $0) }) {
      try Data("\(table)\n".utf8).write(to: URL(filePath: path))
    }
    let obstacles = campaign.obstacles + kills.obstacles
    #expect(obstacles.isEmpty, "\(obstacles.joined(separator: "\n"))")
    #expect(
      campaign.tally.damageCount == 0, "\(campaign.tally.examples.joined(separator: "\n"))")
    #expect(campaign.tally.rows[KillCampaign.row]?.states == extent.killCount)
    guard extent.isComplete else { return }
    #expect(campaign.tally.total.states >= 50_000 + extent.killCount)
    for row in Scenario.allRows {
      #expect((campaign.tally.rows[row]?.states ?? 0) >= 500, "\(row)")
    }
    // The one chain that is left open must be met, or nothing is said about the others.
    #expect(campaign.tally.total.loneDamaged > 0)
  }
}
