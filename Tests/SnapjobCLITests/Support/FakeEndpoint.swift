import QMP
import Synchronization

@testable import SnapjobCLI

/// An endpoint with one machine, whose jobs do what a test says.
final class FakeEndpoint: QMPEndpoint {
  /// What becomes of the jobs that are started.
  enum Course: Sendable {
    /// They conclude well.
    case succeeds
    /// They conclude with this error and exit code.
    case fails(String, exitCode: Int64)
    /// They run until cancelled.
    case runs
    /// They run, refuse to be cancelled, and conclude well then.
    case refusesCancel
    /// They stay pending until finalized or cancelled.
    case staysPending
    /// Starting them fails with this error, so many times.
    case refusesStart(QMPError, times: Int)
  }

  struct Call: Sendable, Hashable {
    let command: String
    let arguments: QMPValue?
  }

  private struct State {
    var course: Course
    var nodes: [QMPValue]
    var replies: [String: QMPValue] = [:]
    var errors: [String: QMPError] = [:]
    var calls: [Call] = []
    var jobs: [String: [QMPValue.Member]] = [:]
    var subscribers: [AsyncStream<QMPEvent>.Continuation] = []
  }

  private let state: Mutex<State>

  init(_ course: Course = .succeeds, nodes: [QMPValue] = FakeEndpoint.twoDisks) {
    state = Mutex(State(course: course, nodes: nodes))
  }

  static let twoDisks: [QMPValue] = [
    disk("disk0", "/img/a.qcow2"), disk("disk1", "/img/b.qcow2"),
  ]

  static func disk(
    _ name: String, _ path: String, isReadOnly: Bool = false, isExcluded: Bool = false
  ) -> QMPValue {
    [
      "node-name": .string(name), "filename": .string(path), "read-only": .bool(isReadOnly),
      "excluded": .bool(isExcluded),
    ]
  }

  /// What a command is to reply.
  func reply(to command: String, with value: QMPValue) {
    state.withLock { $0.replies[command] = value }
  }

  /// What a command is to fail with.
  func fail(_ command: String, with error: QMPError) {
    state.withLock { $0.errors[command] = error }
  }

  /// The commands so far.
  var calls: [Call] { state.withLock { $0.calls } }

  /// The arguments of the first call of a command.
  func arguments(of command: String) -> QMPValue? {
    calls.first { $0.command == command }?.arguments
  }

  func events() -> AsyncStream<QMPEvent> {
    let (stream, continuation) = AsyncStream.makeStream(of: QMPEvent.self)
    state.withLock { $0.subscribers.append(continuation) }
    return stream
  }

  func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    let (reply, error) = state.withLock { state in
      state.calls.append(Call(command: command, arguments: arguments))
      return (state.replies[command], state.errors[command])
    }
    if let error { throw error }
    if let reply { return reply }
    switch command {
    case "x-snapjob-check": return [["target": "disk0", "result": ["exit-code": 0]]]
    case "x-snapjob-verify": return [["target": "disk0", "exit-code": 0]]
    case "x-snapjob-machine-show":
      return state.withLock { state in
        ["name": "default", "vmstate-node": "disk0", "nodes": .array(state.nodes)]
      }
    case "x-snapjob-query-jobs":
      let id = arguments?.text("id") ?? ""
      guard let job = state.withLock({ $0.jobs[id] }) else {
        throw QMPError(.genericError, "Job not found", kind: "notFound")
      }
      return [.object(job)]
    case "snapshot-save", "snapshot-load", "snapshot-delete", "blockdev-create":
      try start(arguments?.text("job-id") ?? "", type: command)
      return [:]
    case "migrate", "migrate-incoming":
      try start(arguments?.text("x-job-id") ?? "", type: command)
      return [:]
    case "x-snapjob-bitmap-transfer":
      try start(arguments?.text("job-id") ?? "", type: command)
      return [:]
    case "job-cancel": return try cancel(arguments?.text("id") ?? "")
    case "job-finalize":
      conclude(arguments?.text("id") ?? "")
      return [:]
    case "job-dismiss":
      state.withLock { $0.jobs[arguments?.text("id") ?? ""] = nil }
      return [:]
    default: return [:]
    }
  }

  private func start(_ id: String, type: String) throws(QMPError) {
    let course = state.withLock { state in
      let course = state.course
      if case .refusesStart(let error, let times) = course {
        state.course = times > 1 ? .refusesStart(error, times: times - 1) : .succeeds
      }
      return course
    }
    if case .refusesStart(let error, _) = course { throw error }
    state.withLock { $0.jobs[id] = [.init("id", .string(id)), .init("type", .string(type))] }
    change(id, "created")
    change(id, "running", [.init("current-progress", 512), .init("total-progress", 1024)])
    switch course {
    case .succeeds: conclude(id)
    case .fails(let message, let code):
      change(id, "aborting")
      change(
        id, "concluded", [.init("error", .string(message)), .init("exit-code", .int(code))])
    case .staysPending:
      change(id, "waiting")
      change(id, "pending")
    case .runs, .refusesCancel, .refusesStart: break
    }
  }

  private func conclude(_ id: String) {
    change(id, "waiting")
    change(id, "pending")
    change(
      id, "concluded",
      [
        .init("current-progress", 1024), .init("exit-code", 0),
        .init(
          "result",
          ["bytes-written": 1_258_291, "bytes-freed": 65536, "remarks": ["RAM is in disk0."]]),
      ])
  }

  private func cancel(_ id: String) throws(QMPError) -> QMPValue {
    if case .refusesCancel = state.withLock({ $0.course }) {
      conclude(id)
      throw QMPError(
        .genericError, "Job '\(id)' in state 'pending' cannot accept command verb 'cancel'")
    }
    change(id, "aborting")
    change(
      id, "concluded",
      [.init("error", "Operation canceled"), .init("exit-code", 10)])
    return [:]
  }

  /// Sets a job's status and members, and sends the event.
  private func change(_ id: String, _ status: String, _ members: [QMPValue.Member] = []) {
    let subscribers = state.withLock { state in
      let new = [QMPValue.Member("status", .string(status))] + members
      let names = Set(new.map(\.name))
      state.jobs[id] = (state.jobs[id] ?? []).filter { !names.contains($0.name) } + new
      return state.subscribers
    }
    let event = QMPEvent(
      name: "JOB_STATUS_CHANGE", data: ["id": .string(id), "status": .string(status)],
      microseconds: 1_795_234_229_123_456)
    for subscriber in subscribers { subscriber.yield(event) }
  }
}
