import FileNames

/// A command line that a message recommends: `snapjob -m web01 load --tag before --device disk0`.
///
/// Of the global options it has only the machine, because the others belong to the command line that the message
/// is printed for, which adds them.
public struct NextStep: Sendable, Hashable, CustomStringConvertible {
  /// The machine; nil where the command is about none, or about that of the command line.
  public let machine: String?
  /// The command and its arguments, as the program gets them.
  public let words: [String]

  /// Makes a step.
  ///
  /// - Parameters:
  ///   - words: the command and its arguments; they are quoted for a shell here.
  ///   - machine: the machine that it acts on; nil for a command that is about none.
  public init(_ words: [String], machine: String? = nil) {
    self.words = words
    self.machine = machine
  }

  /// An option with its value as one or two words: a value that begins like an option needs an equals sign.
  public static func option(_ name: String, _ value: String) -> [String] {
    value.hasPrefix("-") ? ["\(name)=\(value)"] : [name, value]
  }

  /// As it can be copied into a shell.
  public var description: String {
    let option = machine.map { ["-m", $0] } ?? []
    return (["snapjob"] + option + words).map(Self.quoted).joined(separator: " ")
  }

  /// A word as a shell takes it for one.
  public static func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "_-./:=@%+,".utf8.contains(byte)
      }
    }
    if isPlain, !word.isEmpty { return word }
    // What bash, zsh and ksh, and printf, take for bytes.
    if word.hasBytesOfFileNames {
      return "$'"
        + word.replacing(#"\"#, with: #"\\"#).replacing("'", with: #"\'"#).printedFileNames + "'"
    }
    return "'" + word.replacing("'", with: #"'\''"#) + "'"
  }
}
