import FileNames
import Jobs
import Monitor
import QMP
import SnapshotJobs

/// Reads the arguments of one job, as the command's signature in the monitor's table has them.
struct JobArguments {
  let command: String
  /// Where the job begins.
  let line: Int
  let machine: String
  let placeholders: Placeholders

  /// What a job may be beside the commands that start snapshot jobs.
  private static let prune = "prune"

  private static let commands: [CommandSignature] =
    SnapshotRequest.Operation.allCases.compactMap { operation in
      Monitor.commands.first { $0.name == operation.rawValue }
    }

  /// The commands, for messages.
  static var commandList: String {
    (commands.map(\.name) + [prune]).joined(separator: ", ")
  }

  func job(_ node: YAMLNode) throws(LineError) -> JobFile.Job {
    if command == Self.prune { return try pruneJob(node) }
    guard let signature = Self.commands.first(where: { $0.name == command }) else {
      throw LineError(
        line, "there is no job '\(command)'. There are \(Self.commandList)")
    }
    let types = signature.arguments.members
    let members = try node.members(of: command, allowed: types.map(\.name))
    if let entry = members["x-auto-finalize"] {
      throw LineError(
        entry.line,
        "a job of a file is always committed by itself. Leave x-auto-finalize out, or use: "
          + "\(NextStep(["save", "--tag", "TAG", "--no-auto-finalize"], machine: machine))")
    }
    var arguments: [QMPValue.Member] = []
    var lines: [String: Int] = [:]
    for type in types {
      guard let entry = members[type.name] else { continue }
      lines[type.name] = entry.line
      arguments.append(.init(type.name, try value(entry, as: type.type)))
    }
    let job = JobFile.Job(
      line: line, machine: machine, action: .command(command, arguments), argumentLines: lines)
    try check(job)
    return job
  }

  private func value(
    _ entry: YAMLNode.Entry, as type: SchemaType
  ) throws(LineError) -> QMPValue {
    switch type {
    case .boolean: return .bool(try entry.value.truth(entry.key))
    case .array: return .array(try texts(entry).map { .string($0) })
    default: return .string(try text(entry))
    }
  }

  private func text(_ entry: YAMLNode.Entry) throws(LineError) -> String {
    try placeholders.expand(
      try entry.value.text(entry.key), machine: machine, line: entry.value.line)
  }

  private func texts(_ entry: YAMLNode.Entry) throws(LineError) -> [String] {
    guard case .list(let nodes) = entry.value.content else {
      throw LineError(entry.line, "\(entry.key) needs a list: [disk0, disk1]")
    }
    var texts: [String] = []
    for node in nodes {
      let text = try placeholders.expand(
        try node.text("an item of \(entry.key)"), machine: machine, line: node.line)
      if texts.contains(where: text.hasSameBytes) {
        throw LineError(node.line, "'\(text)' is listed twice")
      }
      texts.append(text)
    }
    if texts.isEmpty {
      throw LineError(entry.line, "\(entry.key) is empty. Leave it out to mean all")
    }
    return texts
  }

  private func check(_ job: JobFile.Job) throws(LineError) {
    guard let tag = job.action.text("tag") else {
      throw LineError(line, "\(command) needs a tag: tag: NAME")
    }
    do throws(JobError) {
      if let id = job.action.text("job-id") { _ = try JobID(id) }
    } catch {
      throw LineError(
        job.line(of: "job-id"), "\(error.message): a letter, then letters, digits, '-', '.' and '_'"
      )
    }
    var request = SnapshotRequest(operation: .save, tag: tag, devices: [], vmstate: nil)
    request.saveCurrent = job.action.text("x-save-current")
    if case .command(_, let arguments) = job.action,
      case .array(let more) = arguments.first(where: { $0.name == "x-more-tags" })?.value
    {
      request.moreTags = more.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }
    do throws(JobError) {
      try request.checkTags()
    } catch {
      throw LineError(job.line(of: "tag"), error.message)
    }
  }

  private func pruneJob(_ node: YAMLNode) throws(LineError) -> JobFile.Job {
    let members = try node.members(
      of: command, allowed: ["match", "keep-last", "devices"])
    guard let match = members["match"], let keepLast = members["keep-last"] else {
      throw LineError(line, "prune needs match: PATTERN and keep-last: NUMBER")
    }
    let count = try keepLast.value.number("keep-last")
    if count < 1 {
      throw LineError(
        keepLast.line, "keep-last needs a number above 0; to delete all: snapshot-delete")
    }
    let pattern = try text(match)
    if pattern.isEmpty { throw LineError(match.line, "match needs a pattern that is not empty") }
    let devices = try members["devices"].map { entry throws(LineError) in try texts(entry) }
    return JobFile.Job(
      line: line, machine: machine,
      action: .prune(match: pattern, keepLast: count, devices: devices),
      argumentLines: members["devices"].map { ["devices": $0.line] } ?? [:])
  }
}
