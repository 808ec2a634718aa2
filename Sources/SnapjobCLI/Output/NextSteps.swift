import Snapjob

/// Spells the commands that messages recommend: with the options of the command line that they follow.
///
/// Below the command line nobody knows of its catalog or its connection, and few of its machine. A step
/// without them, copied as it stands, would act on something else: another machine's disks of the same name.
struct NextSteps: Sendable, Hashable {
  /// The options to repeat, `--catalog /c.sqlite` for example, quoted.
  private let options: String
  /// The machine to name where a step names none; nil where the default one is meant.
  private let machine: String?
  /// The images that stand for the machine, quoted; empty for none.
  private let files: String

  /// The commands that are about a machine, by their first words.
  static let ofMachine: Set<String> = [
    "save", "load", "delete", "list", "diff", "prune", "run", "bitmap", "devices", "node", "check",
    "verify", "query-jobs", "watch", "qmp",
  ]
  /// Those whose disks may be files instead, and how these are named.
  private static let ofFiles: [String: String] = [
    "save": " --file", "load": " --file", "delete": " --file", "list": " --file", "diff": " --file",
    "prune": " --file", "check": "", "verify": "",
  ]
  /// Those that are about the catalog, or about jobs whatever their machine.
  static let ofCatalog: Set<String> = ["job", "recover", "machine", "catalog"]

  /// For messages of a command line.
  ///
  /// - Parameters:
  ///   - settings: its options as they hold.
  ///   - files: the images that it names with `--file`.
  init(_ settings: Settings, files: [String]) {
    var options: [String] = []
    if settings.namesConnection, let address = settings.connection {
      options += ["--connect", address]
    }
    if settings.namesCatalog { options += ["--catalog", settings.catalog] }
    self.options = options.map(Engine.quotedForShell).joined(separator: " ")
    let isGiven = settings.connection == nil ? files.isEmpty : settings.namesMachine
    machine = isGiven && settings.machine != Settings.defaultMachine ? settings.machine : nil
    self.files = files.map(Engine.quotedForShell).joined(separator: " ")
  }

  private init(_ options: String, machine: String?, files: String) {
    self.options = options
    self.machine = machine
    self.files = files
  }

  /// The same for a message about a machine; nil for that of the command line.
  func about(_ machine: String?) -> NextSteps {
    guard let machine else { return self }
    return NextSteps(
      options, machine: machine == Settings.defaultMachine ? nil : machine, files: "")
  }

  /// A message with its steps spelled out.
  func spelled(in message: String) -> String {
    var result = ""
    var rest = message[...]
    while let name = rest.firstRange(of: "snapjob ") {
      let before = rest[..<name.lowerBound].last
      let isWord = before?.isLetter != true
      result += rest[..<name.upperBound]
      rest = rest[name.upperBound...]
      if isWord { result += step(&rest) }
    }
    return result + rest
  }

  /// What begins a step: the options, the command's name, its files. Nothing is taken if it is none.
  private func step(_ rest: inout Substring) -> String {
    var namesMachine = false
    var taken = rest
    var machineOption: Substring = ""
    if taken.hasPrefix("-m ") {
      let name = taken.dropFirst(3).prefix { $0 != " " }
      machineOption = taken[..<name.endIndex]
      namesMachine = true
      taken = taken[name.endIndex...].drop { $0 == " " }
    }
    let command = taken.prefix { $0.isLetter || $0 == "-" }
    let isOfMachine = Self.ofMachine.contains(String(command))
    guard isOfMachine || Self.ofCatalog.contains(String(command)) else { return "" }
    var parts = options.isEmpty ? [] : [options]
    if namesMachine { parts.append(String(machineOption)) }
    if isOfMachine, !namesMachine, let machine { parts += ["-m", Engine.quotedForShell(machine)] }
    parts.append(String(command))
    rest = taken[command.endIndex...]
    let words = rest[..<(rest.firstRange(of: "snapjob ")?.lowerBound ?? rest.endIndex)]
    let namesDisks = namesMachine || words.contains(" --file ") || words.hasPrefix(" /")
    if !files.isEmpty, !namesDisks, let option = Self.ofFiles[String(command)] {
      parts[parts.endIndex - 1] += "\(option) \(files)"
    }
    return parts.joined(separator: " ")
  }
}
