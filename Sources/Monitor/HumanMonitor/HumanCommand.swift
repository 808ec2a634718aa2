import QMP

/// One row of the table of the monitor for people.
struct HumanCommand: Sendable {
  /// Something that may follow a command's name.
  enum Parameter: Sendable {
    /// `-` and a letter.
    case option(Character)
    /// A word, or text in double quotes.
    case string(String, isOptional: Bool)
  }

  /// Does the work and returns what is printed, lines ended by a newline alone.
  typealias Handler = @Sendable (HumanArguments, CommandContext) async throws -> String

  /// The name, with its short form after a `|`.
  let name: String
  /// What follows it in the help.
  let usage: String
  /// What it does.
  let help: String
  let parameters: [Parameter]
  let run: Handler

  init(
    _ name: String, _ parameters: [Parameter] = [], usage: String = "", help: String,
    run: @escaping Handler
  ) {
    self.name = name
    self.parameters = parameters
    self.usage = usage
    self.help = help
    self.run = run
  }

  /// Whether a word calls this command.
  func isCalled(_ word: Substring) -> Bool { name.split(separator: "|").contains(word) }

  /// The line of the help.
  func helpLine(prefix: String = "") -> String { "\(prefix)\(name) \(usage) -- \(help)\n" }
}

/// What followed a command's name.
struct HumanArguments: Sendable {
  /// The options given.
  var options: Set<Character> = []
  /// The texts by their names.
  var strings: [String: String] = [:]
}
