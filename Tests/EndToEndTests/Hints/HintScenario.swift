import Testing

/// A way to have the program recommend a command, and what the command has to do.
struct HintScenario: Sendable, CustomTestStringConvertible {
  /// What happens.
  let name: String
  /// The places that recommend what is followed here: the file's name, and the words that the source spells out.
  let sites: [HintSite]
  /// Has the program say it, follows it, and expects what the sentence promises.
  let play: @Sendable (HintStage) throws -> Void

  init(
    _ name: String, _ sites: String..., play: @escaping @Sendable (HintStage) throws -> Void
  ) {
    self.name = name
    self.sites = sites.map(HintSite.init)
    self.play = play
  }

  var testDescription: String { name }

  /// All of them.
  static let all =
    MachineHints.scenarios + JobHints.scenarios + CommitHints.scenarios
    + ImageHints.scenarios + DeviceStateHints.scenarios + LiveHints.scenarios
}
