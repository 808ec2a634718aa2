import Snapjob

/// Spells the commands that messages recommend: with the options of the command line that they follow.
///
/// Below the command line nobody knows of its catalog or its connection, and few of its machine. A step
/// without them, copied as it stands, would act on something else: another machine's disks of the same name.
struct NextSteps: Sendable, Hashable {
  /// The options to repeat, `--catalog /c.sqlite` for example, quoted.
  private let options: [String]
  /// The machine that a line means which names none, where it is copied to.
  private let ambientMachine: String
  /// The machine that a step is about which names none; nil where that is not known, or files stand for it.
  private var machine: String?
  /// The images that stand for the machine, or of which one is meant, quoted; empty for none.
  private var files: [String]

  /// The commands that are about a machine, by their first words.
  static let ofMachine: Set<String> = [
    "save", "load", "delete", "list", "diff", "prune", "run", "bitmap", "devices", "node", "check",
    "verify", "query-jobs", "watch", "qmp",
  ]
  /// Those whose disks may be files instead, and how these are named.
  private static let ofFiles: [String: [String]] = [
    "save": ["--file"], "load": ["--file"], "delete": ["--file"], "list": ["--file"],
    "diff": ["--file"], "prune": ["--file"], "check": [], "verify": [],
  ]
  /// Those that are about the catalog, or about jobs whatever their machine.
  static let ofCatalog: Set<String> = ["job", "recover", "machine", "catalog"]

  /// For messages of a command line.
  ///
  /// - Parameters:
  ///   - settings: its options as they hold.
  ///   - files: the absolute paths of the images that it names with `--file`.
  init(_ settings: Settings, files: [String]) {
    var options: [String] = []
    if settings.namesConnection, let address = settings.connection {
      options += ["--connect", address]
    }
    if settings.namesCatalog { options += ["--catalog", settings.catalog] }
    self.options = options.map(Engine.quotedForShell)
    ambientMachine = settings.ambientMachine
    // Of a server's machine nothing is known here but what the command line says.
    let isKnown = settings.connection == nil || settings.namesMachine
    machine = files.isEmpty && isKnown ? settings.machine : nil
    self.files = files.map(Engine.quotedForShell)
  }

  /// The same for a message about a machine; nil for that of the command line.
  func about(_ machine: String?) -> NextSteps {
    guard let machine else { return self }
    var steps = self
    steps.machine = machine
    steps.files = []
    return steps
  }

  /// The same for a message about one image, by its path or as a node of the machine.
  func about(image: String) -> NextSteps {
    var steps = self
    if image.hasPrefix("/") { steps.machine = nil }
    steps.files = [Engine.quotedForShell(image)]
    return steps
  }

  /// A message with its steps spelled out. What it quotes, tags and names, stays as it is.
  func spelled(in message: String) -> String {
    var result = ""
    var rest = message[...]
    while let character = rest.first {
      let isStart = result.last?.isLetter != true && result.last?.isNumber != true
      if isStart, result.last != "-", rest.hasPrefix("snapjob ") {
        result += "snapjob "
        rest = rest.dropFirst("snapjob ".count)
        result += step(&rest)
      } else if isStart, character == "'" || character == "\"",
        let end = rest.dropFirst().firstIndex(of: character)
      {
        result += rest[...end]
        rest = rest[rest.index(after: end)...]
      } else {
        result.append(character)
        rest = rest.dropFirst()
      }
    }
    return result
  }

  /// What begins a step: the options, the command's name, its files. Nothing is taken if it is none.
  private func step(_ rest: inout Substring) -> String {
    var taken = rest
    var target = machine
    if taken.hasPrefix("-m ") {
      let name = taken.dropFirst(3).prefix { $0 != " " }
      target = String(name)
      taken = taken[name.endIndex...].drop { $0 == " " }
    }
    let command = taken.prefix { $0.isLetter || $0 == "-" }
    let isOfMachine = Self.ofMachine.contains(String(command))
    guard isOfMachine || Self.ofCatalog.contains(String(command)) else { return "" }
    let namesMachine = taken.startIndex != rest.startIndex
    rest = taken[command.endIndex...]
    let words = rest[..<(rest.firstRange(of: "snapjob ")?.lowerBound ?? rest.endIndex)]
    let namesFiles = words.contains(" --file ") || words.hasPrefix(" /")
    var parts = options
    let isMeant = target == ambientMachine && target == Settings.defaultMachine
    if isOfMachine, !namesFiles, !isMeant, let target {
      parts += ["-m", namesMachine ? target : Engine.quotedForShell(target)]
    }
    parts.append(String(command))
    if !files.isEmpty, !namesFiles, !namesMachine, let option = Self.ofFiles[String(command)] {
      parts += option + files
    }
    return parts.joined(separator: " ")
  }
}
