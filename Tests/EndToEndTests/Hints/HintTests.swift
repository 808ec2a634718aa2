import TestOracles
import Testing

/// What the program recommends is run, and does what it says, to the machine that it was said of.
@Suite("Hints") struct HintTests {
  @Test(
    "A command that a message recommends does what the message says", arguments: HintScenario.all)
  func hint(scenario: HintScenario) throws {
    let stage = try HintStage()
    try scenario.play(stage)
    try stage.expectDecoysUntouched()
  }

  @Test("Every command that a message can recommend is run by one of the scenarios")
  func completeness() throws {
    let made = Dictionary(grouping: try HintSite.all()) { $0 }.mapValues(\.count)
    let played = Dictionary(grouping: HintScenario.all.flatMap(\.sites)) { $0 }.mapValues(\.count)
    #expect(made.count > 40)
    for (site, count) in made.sorted(by: { $0.key < $1.key }) {
      #expect(played[site, default: 0] >= count, "no scenario: \(site)")
    }
    for site in played.keys.sorted() { #expect(made[site] != nil, "nothing says: \(site)") }
  }

  @Test("No message spells a command by itself") func literals() throws {
    let verbs = Set(HintScenario.all.flatMap(\.sites).compactMap(\.verb))
    #expect(verbs.count > 8)
    for (path, text) in try HintSite.sources() where !path.contains("/SnapjobCLI/Options/") {
      for line in text.split(separator: "\n") {
        let code = line.drop { $0 == " " }
        // Help stands in literals of several lines.
        guard !code.hasPrefix("//"), code.contains("\""), !path.hasSuffix("FeatureBits.swift")
        else {
          continue
        }
        let literal = code.drop { $0 != "\"" }
        for verb in verbs { #expect(!literal.contains("snapjob \(verb)"), "\(path): \(code)") }
      }
    }
  }
}
