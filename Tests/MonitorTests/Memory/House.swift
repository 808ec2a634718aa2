import Jobs
import Monitor
import QMP
import SnapshotJobs
import Testing

/// A monitor with everything behind it in memory.
struct House {
  let jobs = MemoryJobs()
  let machines = MemoryMachines()
  let images = MemoryImages()
  let catalog = MemoryCatalog()
  let makers = MemoryMakers()
  let services: MonitorServices
  let monitor: Monitor

  var runner: JobRunner { services.runner }

  init(
    _ target: Monitor.Target = .stored("default"), busyPatience: Duration = .zero,
    followsAllMachines: Bool = false, commits: MemoryCommits = MemoryCommits(),
    onWait: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    let runner = JobRunner(store: jobs, committer: MemoryCommitter())
    services = MonitorServices(
      runner: runner, machines: machines, makers: makers, history: jobs, catalog: catalog,
      images: images,
      channels: MemoryChannels(),
      recovery: Recovery(log: commits, runner: runner), busyPatience: busyPatience,
      onWait: onWait, version: "1.2.3")
    monitor = Monitor(
      target: target, services: services, followsAllMachines: followsAllMachines)
  }

  /// Executes a command given as JSON text; its reply must be of the declared type.
  @discardableResult
  func execute(_ command: String, _ arguments: String? = nil) async throws -> QMPValue {
    let value = try arguments.map { text in try QMPValue(parsing: text) }
    let reply = try await monitor.execute(command, value)
    let signature = try #require(Monitor.commands.first { $0.name == command })
    try signature.checkReply(reply)
    return reply
  }

  /// Executes a command that must fail.
  func refusal(_ command: String, _ arguments: String? = nil) async -> QMPError? {
    do {
      try await execute(command, arguments)
      return nil
    } catch let error as QMPError {
      return error
    } catch {
      return QMPError(.genericError, "not a QMPError: \(error)")
    }
  }

  /// Puts a node into the machine `default`.
  func addNode(_ name: String, path: String? = nil) throws {
    let path = path ?? "/\(name)"
    images.add(path)
    try machines.addNode(Node(name: NodeName(name), path: path), toMachine: "default")
  }

  /// Runs a save to its conclusion.
  @discardableResult
  func save(_ id: String, tag: String = "t", more: String = "") async throws -> JobRecord {
    try await execute(
      "snapshot-save",
      #"{"job-id": "\#(id)", "tag": "\#(tag)", "vmstate": "disk0", "devices": ["disk0"]\#(more)}"#)
    return try await runner.wait(for: JobID(id))
  }
}

extension QMPValue {
  /// The text of a member; nil if there is none.
  func text(_ name: String) -> String? {
    if case .string(let text) = self[name] { text } else { nil }
  }

  /// The elements of a list.
  var elements: [QMPValue] {
    if case .array(let elements) = self { elements } else { [] }
  }

  /// The names of an object's members.
  var names: [String] {
    if case .object(let members) = self { members.map(\.name) } else { [] }
  }
}
