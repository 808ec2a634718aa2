import Testing

/// Everything that a crash can leave, recovered and judged by qemu-img.
@Suite("Crashes") struct CrashTests {
  @Test("After a crash anywhere, all disks are old or all new, and nothing that others wrote is lost")
  func everywhere() async {
    let extent = Campaign.Extent()
    let campaign = Campaign(extent.scenarios, extent)
    await campaign.run()
    print(campaign.tally.table(Scenario.allRows))
    #expect(campaign.obstacles.isEmpty, "\(campaign.obstacles.joined(separator: "\n"))")
    #expect(
      campaign.tally.damageCount == 0, "\(campaign.tally.examples.joined(separator: "\n"))")
    #expect(campaign.tally.total.states > 0)
  }
}
