import ArgumentParser

/// The one tag of save and load.
///
/// Of an option that is given twice ArgumentParser takes the last; which snapshot is meant must not be
/// guessed.
struct TagOption: ParsableArguments, Sendable {
  @Option(name: .customLong("tag"), help: ArgumentHelp("The snapshot's name.", valueName: "tag"))
  var names: [String] = []

  /// The tag.
  var name: String { names.first ?? "" }

  func validate() throws {
    if names.isEmpty { throw ValidationError("Missing expected argument '--tag <tag>'") }
    if names.count > 1 { throw ValidationError("one --tag only; \(names.count) are given") }
  }
}

/// The one snapshot of load, by its tag or by its id.
struct ChosenSnapshot: ParsableArguments, Sendable {
  @Option(name: .customLong("tag"), help: ArgumentHelp("The snapshot's name.", valueName: "tag"))
  var names: [String] = []
  @Option(
    help: ArgumentHelp(
      "Its id on one disk (list --json), where it has no name that can be given.", valueName: "id"))
  var id: String?

  /// What the order names.
  var tags: [String] { id == nil ? names : [] }

  func validate() throws {
    if names.count > 1 { throw ValidationError("one --tag only; \(names.count) are given") }
    guard id != nil else {
      if names.isEmpty {
        throw ValidationError("Missing expected argument '--tag <tag>' (or '--id <id>')")
      }
      return
    }
    if !names.isEmpty { throw ValidationError("--tag or --id; not both") }
  }
}
