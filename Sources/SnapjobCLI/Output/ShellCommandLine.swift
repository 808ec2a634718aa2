import FileNames
import Jobs

/// The program with its arguments, as a line that can be copied from a terminal into a shell.
struct ShellCommandLine: Sendable, Hashable, CustomStringConvertible {
  /// The arguments, as the program gets them.
  let arguments: [String]

  init(_ arguments: [String]) { self.arguments = arguments }

  var description: String {
    (["snapjob"] + arguments).map { word in
      let isShown =
        !word.hasBytesOfFileNames && !word.unicodeScalars.contains(where: Self.isUnseen)
      return isShown ? NextStep.quoted(word) : Self.quotedBytes(word)
    }.joined(separator: " ")
  }

  /// Whether a terminal obeys a character instead of showing it.
  private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  /// A byte with three digits always: a digit behind fewer would be taken for one of them.
  private static func octal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 8)
    return #"\"# + String(repeating: "0", count: 3 - digits.count) + digits
  }

  /// A word that is no UTF-8, or cannot be shown as it is, as bash, zsh and ksh take it.
  private static func quotedBytes(_ word: String) -> String {
    let text = word.unicodeScalars.map { scalar in
      switch scalar {
      case "'": #"\'"#
      case "\\": #"\\"#
      case _ where isUnseen(scalar): String(scalar).utf8.map(octal).joined()
      default: String(scalar)
      }
    }.joined()
    return "$'" + text.printedFileNames + "'"
  }
}
