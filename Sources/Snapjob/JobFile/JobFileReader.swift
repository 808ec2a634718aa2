import FileNames
import Jobs
import Monitor
import QMP
import SnapshotJobs
import SystemPackage

/// Makes a ``JobFile`` of its YAML, or says at which line it is none.
struct JobFileReader {
  /// Where relative names of images count from.
  let directory: FilePath
  /// The machine of a file that names none.
  let defaultMachine: String
  let placeholders: Placeholders

  typealias Parts = (machines: [JobFile.Machine], isGrouped: Bool, jobs: [JobFile.Job])

  func read(_ root: YAMLNode) throws(LineError) -> Parts {
    let members = try root.members(
      of: "a job file", allowed: ["machine", "machines", "disks", "transaction", "jobs"])
    let named = try machines(members)
    guard let jobsEntry = members["jobs"] else {
      throw LineError(root.line, "the file has no jobs. Add a list: jobs: [...]")
    }
    let isGrouped = try isGrouped(members["transaction"])
    guard case .list(let nodes) = jobsEntry.value.content, !nodes.isEmpty else {
      throw LineError(jobsEntry.line, "jobs needs a list of at least one job")
    }
    var jobs: [JobFile.Job] = []
    for node in nodes { jobs.append(try job(node, machines: named)) }
    try checkIDs(jobs)
    if isGrouped, let prune = jobs.first(where: \.isPrune) {
      throw LineError(
        prune.line,
        "prune takes no part in a group: what it deletes is known when the group is done. "
          + "Use transaction: individual, or a file of its own")
    }
    return (named, isGrouped, jobs)
  }

  // MARK: Machines

  private func machines(_ members: YAMLMembers) throws(LineError) -> [JobFile.Machine] {
    guard let several = members["machines"] else {
      let name = try members["machine"].map { entry throws(LineError) in
        try machineName(try entry.value.text("machine"), entry.line)
      }
      let chosen = name ?? defaultMachine
      let line = members["machine"]?.line ?? 1
      return [
        JobFile.Machine(
          name: chosen, line: line, disks: try disks(members["disks"], machine: chosen))
      ]
    }
    if let other = members["machine"] ?? members["disks"] {
      throw LineError(
        other.line, "'\(other.key)' and 'machines' exclude each other. Put it under 'machines'")
    }
    guard case .map(let entries) = several.value.content, !entries.isEmpty else {
      throw LineError(several.line, "machines needs names, each with its disks or nothing")
    }
    var result: [JobFile.Machine] = []
    for entry in entries {
      let name = try machineName(entry.key, entry.line)
      var disks: [JobFile.Disk] = []
      if case .null = entry.value.content {
      } else {
        let members = try entry.value.members(of: "machine '\(name)'", allowed: ["disks"])
        disks = try self.disks(members["disks"], machine: name)
      }
      result.append(JobFile.Machine(name: name, line: entry.line, disks: disks))
    }
    return result
  }

  private func machineName(_ name: String, _ line: Int) throws(LineError) -> String {
    if name.isEmpty { throw LineError(line, "the machine's name is empty") }
    return name
  }

  private func disks(
    _ entry: YAMLNode.Entry?, machine: String
  ) throws(LineError) -> [JobFile.Disk] {
    guard let entry else { return [] }
    guard case .map(let entries) = entry.value.content else {
      throw LineError(entry.line, "disks needs a file for each node: NODE: PATH")
    }
    var disks: [JobFile.Disk] = []
    for entry in entries {
      do throws(JobError) {
        _ = try NodeName(entry.key)
      } catch {
        throw LineError(entry.line, "\(error.message). Choose another name")
      }
      let written = try entry.value.text("the file of node '\(entry.key)'")
      let text = try placeholders.expand(written, machine: machine, line: entry.value.line)
      let path = String(fileName: text.utf8)
      if path.isEmpty { throw LineError(entry.line, "node '\(entry.key)' needs a file") }
      let file: String
      do throws(JobError) {
        file = try ImagePath.absolute(directory.pushing(FilePath(path)).string)
      } catch {
        throw LineError(entry.line, error.message)
      }
      if let other = disks.first(where: { $0.file.hasSameBytes(as: file) }) {
        throw LineError(entry.line, "\(file) is node '\(other.node)' already. Leave one out")
      }
      disks.append(JobFile.Disk(node: entry.key, file: file, line: entry.line))
    }
    return disks
  }

  private func isGrouped(_ entry: YAMLNode.Entry?) throws(LineError) -> Bool {
    guard let entry else { return false }
    switch try entry.value.text("transaction") {
    case "grouped": return true
    case "individual": return false
    case let other:
      throw LineError(
        entry.line, "transaction is '\(other)'. It is individual (one after the other) or grouped")
    }
  }

  // MARK: Jobs

  private func job(
    _ node: YAMLNode, machines: [JobFile.Machine]
  ) throws(LineError) -> JobFile.Job {
    guard case .map(let entries) = node.content else {
      throw LineError(node.line, "a job is written as COMMAND: {ARGUMENTS}")
    }
    let machine = try machine(of: entries, line: node.line, machines)
    let actions = entries.filter { $0.key != "machine" }
    guard let action = actions.first else {
      throw LineError(node.line, "the job has no command. There are \(JobArguments.commandList)")
    }
    if actions.count > 1 {
      throw LineError(
        actions[1].line, "one job is one command; '\(actions[1].key)' needs an item of its own (-)")
    }
    let arguments = JobArguments(
      command: action.key, line: action.line, machine: machine, placeholders: placeholders)
    return try arguments.job(action.value)
  }

  private func machine(
    of entries: [YAMLNode.Entry], line: Int, _ machines: [JobFile.Machine]
  ) throws(LineError) -> String {
    guard let entry = entries.first(where: { $0.key == "machine" }) else {
      guard machines.count == 1, let only = machines.first else {
        throw LineError(
          line, "the file has several machines; say which one this job is for: machine: NAME")
      }
      return only.name
    }
    let name = try entry.value.text("machine")
    guard machines.contains(where: { $0.name.hasSameBytes(as: name) }) else {
      let names = machines.map(\.name).joined(separator: ", ")
      throw LineError(
        entry.line, "machine '\(name)' is not among those of this file (\(names)). Add it there")
    }
    return name
  }

  private func checkIDs(_ jobs: [JobFile.Job]) throws(LineError) {
    var lines: [String: Int] = [:]
    for job in jobs {
      guard let id = job.action.text("job-id") else { continue }
      if let first = lines.updateValue(job.line(of: "job-id"), forKey: id) {
        throw LineError(
          job.line(of: "job-id"), "job id '\(id)' is that of line \(first) too. Choose another one")
      }
    }
  }
}

extension JobFile.Job {
  fileprivate var isPrune: Bool {
    if case .prune = action { true } else { false }
  }
}
