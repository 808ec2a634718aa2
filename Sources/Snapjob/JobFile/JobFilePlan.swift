import FileNames
import Jobs
import Monitor
public import QMP
import SnapshotJobs

/// A job file compared with a catalog: what is to be registered, and jobs with all their arguments.
///
/// Making one changes nothing.
public struct JobFilePlan: Sendable, Hashable {
  /// A disk that is to be registered.
  public struct Registration: Sendable, Hashable {
    /// The machine's name.
    public let machine: String
    /// Whether the machine is to be added first.
    public let isNewMachine: Bool
    /// The node and its image.
    public let disk: JobFile.Disk
  }

  /// A job that is ready but for its id.
  public struct Job: Sendable, Hashable {
    /// The machine's name.
    public let machine: String
    /// Where the job begins in the file.
    public let line: Int
    /// What it does, with the arguments that are given.
    public let action: JobFile.Action
    /// The nodes that it covers.
    public let devices: [String]
    /// The node that keeps device state.
    public let vmstate: String
    /// Their images in the same order as the devices.
    public let files: [String]
    /// Whether all of the nodes are registered already.
    public let isRegistered: Bool
  }

  /// The file.
  public let file: JobFile
  /// What is registered first, in the file's order.
  public let registrations: [Registration]
  /// The jobs in the file's order.
  public let jobs: [Job]

  /// Compares a file with a catalog.
  ///
  /// - Parameters:
  ///   - file: the file.
  ///   - endpoint: one that knows the catalog's machines.
  /// - Throws: `QMPError`: refused, with the line, or the endpoint's own.
  public init(_ file: JobFile, on endpoint: any QMPEndpoint) async throws(QMPError) {
    let known = try await endpoint.execute("x-snapjob-machine-list", nil)
    var states: [[UInt8]: MachineState] = [:]
    for machine in file.machines {
      let isKnown = known.listed.contains { $0.text("name").hasSameBytes(as: machine.name) }
      let shown =
        isKnown
        ? try await endpoint.execute(
          "x-snapjob-machine-show", ["name": .string(machine.name)]) : nil
      states[Array(machine.name.utf8)] = MachineState(shown)
    }
    do throws(LineError) {
      var registrations: [Registration] = []
      for machine in file.machines {
        guard var state = states[Array(machine.name.utf8)] else { continue }
        registrations += try state.register(machine)
        states[Array(machine.name.utf8)] = state
      }
      var jobs: [Job] = []
      for job in file.jobs {
        guard let state = states[Array(job.machine.utf8)] else { continue }
        jobs.append(try state.resolve(job))
      }
      if file.isGrouped { try Self.checkGroup(jobs) }
      self.file = file
      self.registrations = registrations
      self.jobs = jobs
    } catch {
      throw JobFileError(path: file.path, line: error.line, message: error.message).error
    }
  }

  /// Jobs of one commit change each disk once.
  private static func checkGroup(_ jobs: [Job]) throws(LineError) {
    var lines: [[UInt8]: Int] = [:]
    for job in jobs {
      for (device, file) in zip(job.devices, job.files) {
        guard let first = lines.updateValue(job.line, forKey: Array(file.utf8)) else { continue }
        throw LineError(
          job.line,
          "disk '\(device)' of \(job.machine) (\(file)) is in the job of line \(first) too. Jobs of "
            + "a group change each disk once: use transaction: individual, or other devices")
      }
    }
  }
}

/// What a catalog knows of a machine, and what a file adds to it.
private struct MachineState {
  private struct Disk {
    let node: String
    let file: String
    let isCovered: Bool
    let isReadOnly: Bool
    let isRegistered: Bool
  }

  private let isKnown: Bool
  private let vmstate: String?
  private var disks: [Disk]

  /// - Parameter shown: the reply of `x-snapjob-machine-show`; nil for a machine that is not there.
  init(_ shown: QMPValue?) {
    isKnown = shown != nil
    vmstate = shown?["vmstate"]?.asText
    disks = (shown?["nodes"]?.listed ?? []).map { node in
      let isReadOnly = node["read-only"] == true
      return Disk(
        node: node["node-name"]?.asText ?? "", file: node["filename"]?.asText ?? "",
        isCovered: !isReadOnly && node["excluded"] != true, isReadOnly: isReadOnly,
        isRegistered: true)
    }
  }

  mutating func register(
    _ machine: JobFile.Machine
  ) throws(LineError) -> [JobFilePlan.Registration] {
    let name = machine.name
    guard isKnown || !machine.disks.isEmpty else {
      throw LineError(
        machine.line,
        "there is no machine '\(name)'. List its disks here, or: "
          + "\(NextStep(["machine", "add", name]))")
    }
    var registrations: [JobFilePlan.Registration] = []
    for disk in machine.disks {
      if let known = disks.first(where: { $0.node == disk.node }) {
        guard known.file.hasSameBytes(as: disk.file) else {
          throw LineError(
            disk.line,
            "node '\(disk.node)' of \(name) is \(known.file), not \(disk.file). To change it: "
              + "\(NextStep(["machine", "set", name, "--file", "\(disk.node)=\(disk.file)"]))")
        }
        continue
      }
      if let known = disks.first(where: { $0.file.hasSameBytes(as: disk.file) }) {
        throw LineError(
          disk.line, "\(disk.file) is node '\(known.node)' of \(name) already. Use that name")
      }
      try checkImage(disk)
      disks.append(
        Disk(
          node: disk.node, file: disk.file, isCovered: true, isReadOnly: false,
          isRegistered: false))
      registrations.append(.init(machine: name, isNewMachine: !isKnown, disk: disk))
    }
    return registrations
  }

  private func checkImage(_ disk: JobFile.Disk) throws(LineError) {
    do throws(JobError) {
      let node = Node(name: try NodeName(disk.node), path: disk.file)
      if let problem = node.describe().problem { throw problem }
    } catch {
      throw LineError(disk.line, error.message)
    }
  }

  func resolve(_ job: JobFile.Job) throws(LineError) -> JobFilePlan.Job {
    let names = job.action.devices ?? disks.filter(\.isCovered).map(\.node)
    guard let first = names.first else {
      throw LineError(
        job.line, "machine '\(job.machine)' has no disk to work on. List some under disks")
    }
    var chosen: [Disk] = []
    for name in names {
      guard let disk = disks.first(where: { $0.node == name }) else {
        throw LineError(job.line(of: "devices"), unknown(name, of: job.machine))
      }
      if disk.isReadOnly {
        throw LineError(
          job.line(of: "devices"), "node '\(name)' of \(job.machine) is read-only. Leave it out")
      }
      chosen.append(disk)
    }
    if let vmstate = job.action.text("vmstate"), !names.contains(vmstate) {
      throw LineError(
        job.line(of: "vmstate"),
        disks.contains { $0.node == vmstate }
          ? "vmstate is '\(vmstate)', which is not among the devices of the job"
          : unknown(vmstate, of: job.machine))
    }
    let own = vmstate.flatMap { names.contains($0) ? $0 : nil }
    return JobFilePlan.Job(
      machine: job.machine, line: job.line, action: job.action, devices: names,
      vmstate: job.action.text("vmstate") ?? own ?? first, files: chosen.map(\.file),
      isRegistered: chosen.allSatisfy(\.isRegistered))
  }

  private func unknown(_ name: String, of machine: String) -> String {
    let names = disks.map(\.node).joined(separator: ", ")
    return "machine '\(machine)' has no node '\(name)'. It has: \(names)"
  }
}

extension QMPValue {
  fileprivate var listed: [QMPValue] {
    if case .array(let elements) = self { elements } else { [] }
  }

  fileprivate var asText: String? {
    if case .string(let text) = self { text } else { nil }
  }
}
