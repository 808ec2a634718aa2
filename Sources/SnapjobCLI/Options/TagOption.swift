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
