/// A command line that a message recommends: `snapjob -m web01 load --tag before --device disk0`.
///
/// In a message it stands between backticks, quoted for a shell. The message can then go as one string over a wire,
/// into the catalog or into a log, and whoever prints it takes it apart again (see ``parts(of:)``).
///
/// Of the global options it has only what it is about, because the others belong to the command line that the message
/// is printed for, which adds them.
public struct NextStep: Sendable, Hashable, CustomStringConvertible {
  /// The catalog; nil for that of the command line.
  public let catalog: String?
  /// The machine; nil where the command is about none, or about that of the command line.
  public let machine: String?
  /// The command and its arguments, as the program gets them.
  public let words: [String]

  /// Makes a step.
  ///
  /// - Parameters:
  ///   - words: the command and its arguments; they are quoted for a shell here.
  ///   - machine: the machine that it acts on; nil for a command that is about none.
  ///   - catalog: the catalog that it is about; nil for that of the command line.
  public init(_ words: [String], machine: String? = nil, catalog: String? = nil) {
    self.words = words
    self.machine = machine
    self.catalog = catalog
  }

  /// Makes a step of a command and arguments that are known when this is written.
  public init(_ words: String...) { self.init(words) }

  /// An option with its value as one or two words: a value that begins like an option needs an equals sign.
  public static func option(_ name: String, _ value: String) -> [String] {
    value.hasPrefix("-") ? ["\(name)=\(value)"] : [name, value]
  }

  /// As it stands in a message.
  public var description: String {
    "`" + (["snapjob"] + arguments).map(Self.quoted).joined(separator: " ") + "`"
  }

  /// All words behind the program's name.
  private var arguments: [String] {
    (catalog.map { ["--catalog", $0] } ?? []) + (machine.map { ["-m", $0] } ?? []) + words
  }

  /// A word as a shell takes it.
  package static func quoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "_-./:=@%+,".utf8.contains(byte)
      }
    }
    if isPlain, !word.isEmpty { return word }
    // Not by characters: a quote with a combining mark is a character of its own, and to a shell a quote.
    return "'" + word.unicodeScalars.map { $0 == "'" ? #"'\''"# : String($0) }.joined() + "'"
  }
}
