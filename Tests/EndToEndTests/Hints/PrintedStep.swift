/// Commands in what the program has printed.
enum PrintedStep {
  /// The commands of a shape, as they were printed.
  ///
  /// Global options may stand before the command, and its images behind its first word; what follows its last word is
  /// not part of it.
  ///
  /// - Parameters:
  ///   - shape: the command's words, with `*` for one that may be anything.
  ///   - text: what was printed.
  /// - Returns: one for each place that has the shape.
  static func all(of shape: String, in text: String) -> [String] {
    text.split(separator: "snapjob ", omittingEmptySubsequences: false).dropFirst()
      .compactMap { rest in
        let shape = shape.split(separator: " ").map(String.init)
        var words = words(of: rest)
        var taken: [String] = []
        while words.count > 1, ["--catalog", "-m", "--connect"].contains(words[0]) {
          taken += words.prefix(2)
          words.removeFirst(2)
        }
        guard words.count >= shape.count else { return nil }
        var command = Array(words.prefix(shape.count))
        command[command.count - 1] = trimmed(command[command.count - 1])
        let fits = zip(shape, command).allSatisfy { $0 == "*" || $0 == $1 }
        return fits ? (["snapjob"] + taken + command).joined(separator: " ") : nil
      }
  }

  /// The words of a line as they are printed, quotes included.
  private static func words(of text: Substring) -> [String] {
    var words = [""]
    var isQuoted = false
    for character in text {
      if character == "'" { isQuoted.toggle() }
      if character == "\n", !isQuoted { break }
      if character == " ", !isQuoted {
        words.append("")
      } else {
        words[words.count - 1].append(character)
      }
    }
    return words
  }

  /// A word without the punctuation of the sentence that it ends.
  private static func trimmed(_ word: String) -> String {
    var word = word
    while let last = word.last, ".,;:)".contains(last) { word.removeLast() }
    return word
  }
}
