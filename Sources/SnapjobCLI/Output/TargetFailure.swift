import FileNames

/// Why one of a command's images could not be looked into.
struct TargetFailure: Sendable, Hashable {
  /// The sentence, with the image's name once.
  let message: String

  /// Makes a failure of a sentence that names the image.
  init(message: String) { self.message = message }

  /// Makes a failure.
  ///
  /// - Parameters:
  ///   - target: the node or file as it was asked for.
  ///   - filename: the file's absolute path.
  ///   - problem: what happened; it may begin with the path.
  init(target: String, filename: String, problem: String) {
    let isFile =
      filename.hasSameBytes(as: target)
      || filename.utf8.reversed().starts(with: "/\(target)".utf8.reversed())
    let isNamed = isFile && !filename.isEmpty && problem.utf8.starts(with: filename.utf8)
    message = Table.printable(isNamed ? problem : "\(target): \(problem)")
  }
}

extension Output {
  /// Why an image could not be looked into, on stderr; with `--json` the reply says so as well.
  func failure(_ failure: TargetFailure) {
    console.err.write("snapjob: \(failure.message)\n")
  }
}
