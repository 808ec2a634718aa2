import FileNames
import Jobs
import QMP

/// Spells the commands that messages recommend: with the options of the command line that they follow.
///
/// Below the command line nobody knows of its catalog or its connection, and few of its machine. A step
/// without them, copied as it stands, would act on something else: another machine's disks of the same name.
struct NextSteps: Sendable, Hashable {
  /// The server to be asked again, as an option; empty for none.
  private let connection: [String]
  /// The catalog to be used again, as an option; empty for that of every command line.
  private let catalog: [String]
  /// The machine that a line means which names none, where it is copied to.
  private let ambientMachine: String
  /// The machine that a step is about which names none; nil where that is not known, or files stand for it.
  private var machine: String?
  /// The images that stand for the machine, or of which one is meant, empty for none.
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
    connection =
      settings.namesConnection ? settings.connection.map { ["--connect", $0] } ?? [] : []
    catalog = settings.namesCatalog ? ["--catalog", settings.catalog] : []
    ambientMachine = settings.ambientMachine
    // Of a server's machine nothing is known here but what the command line says.
    let isKnown = settings.connection == nil || settings.namesMachine
    machine = files.isEmpty && isKnown ? settings.machine : nil
    self.files = files
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
    if image.isAbsolutePath { steps.machine = nil }
    steps.files = [image]
    return steps
  }

  /// A message with its steps spelled out.
  func spelled(in message: String) -> String {
    NextStep.parts(of: message).map { part in
      switch part {
      case .prose(let text): text
      case .step(let step): spelled(step)
      }
    }.joined()
  }

  /// The members of replies whose sentences recommend commands.
  private static let sentences: Set<String> = [
    "error", "problem", "problems", "messages", "remarks", "outcome", "images", "text",
    "structure-problems", "device-state-problem",
  ]

  /// A reply with the steps of its sentences spelled out; where it names a machine, or the image that it is about,
  /// they are about that.
  func spelled(in reply: QMPValue) -> QMPValue {
    switch reply {
    case .array(let elements): return .array(elements.map { spelled(in: $0) })
    case .object(let members):
      var steps = about(reply["machine"]?.asText)
      if let image = reply["target"]?.asText { steps = about(image: image) }
      return .object(
        members.map { member in
          let isSentence = Self.sentences.contains(member.name)
          return .init(
            member.name,
            isSentence ? steps.spelled(inSentences: member.value) : steps.spelled(in: member.value))
        })
    default: return reply
    }
  }

  private func spelled(inSentences value: QMPValue) -> QMPValue {
    switch value {
    case .string(let sentence): .string(spelled(in: sentence))
    case .array(let elements): .array(elements.map(spelled(inSentences:)))
    default: spelled(in: value)
    }
  }

  /// A step as it is to be copied; one that is none of this program's, as the message has it.
  private func spelled(_ step: NextStep) -> String {
    let command = step.words[0]
    let isOfMachine = Self.ofMachine.contains(command)
    guard isOfMachine || Self.ofCatalog.contains(command) else { return step.description }
    let namesFiles = namesFiles(step.words)
    let target = step.machine ?? machine
    // A server takes no images instead of a machine, and has a catalog of its own.
    let isLocal = step.catalog != nil || namesFiles && Self.ofFiles[command] == ["--file"]
    var words = (isLocal ? [] : connection) + (step.catalog.map { ["--catalog", $0] } ?? catalog)
    let isMeant = target == ambientMachine && target == Settings.defaultMachine
    if isOfMachine, !namesFiles, !isMeant, let target { words += ["-m", target] }
    words.append(command)
    if !files.isEmpty, !namesFiles, step.machine == nil, let option = Self.ofFiles[command] {
      words += option + files
    }
    var arguments = Array(step.words.dropFirst())
    if command == "bitmap", arguments.count > 1, let file = files.first, file.isAbsolutePath {
      // The node is the one that the file has been made for this command line.
      arguments[1] = file
    }
    return ShellCommandLine(words + arguments).description
  }

  /// Whether a command's images are among its words, so that no machine is meant.
  private func namesFiles(_ words: [String]) -> Bool {
    switch words[0] {
    case "check", "verify": words.dropFirst().contains { $0.isAbsolutePath }
    case "bitmap": words.count > 2 && words[2].isAbsolutePath
    default: words.contains("--file")
    }
  }
}
