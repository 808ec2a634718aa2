import ArgumentParser
import QMP

/// `snapjob job show`.
struct JobShowCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all that is known of a job, dismissed ones included.",
    discussion: """
      Example:
        snapjob job show save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let job = try await session.withEndpoint { try await $0.job(id) }
    session.output.json(job.value)
    Self.lines(JobView(session.output.spelled(job.value))).forEach(session.output.line)
    return .done
  }

  /// `key: value` lines; what is not known is left out.
  static func lines(_ job: JobView) -> [String] {
    let value = job.value
    var pairs: [(String, String)] = [
      ("id", job.id), ("type", job.type), ("machine", job.machine ?? ""),
      ("tag", value.text("tag")), ("devices", value.texts("devices").joined(separator: ", ")),
      ("vmstate", value.text("vmstate")), ("note", value.text("note")), ("status", job.status),
      ("progress", "\(Quantity.bytes(job.current)) of \(Quantity.bytes(job.total))"),
      ("error", job.error ?? ""),
      ("exit code", value["exit-code"]?.asInteger.map { String($0) } ?? ""),
    ]
    for key in ["created", "started", "concluded"] {
      pairs.append((key, ListCommand.localTime(value.text(key))))
    }
    if let worker = value["worker"], worker != .null {
      let end = worker["alive"]?.asTruth == false ? ", has ended" : ""
      pairs.append(
        ("worker", "pid \(worker.integer("pid")), uid \(worker.integer("uid"))\(end)"))
    }
    if let result = value["result"], result != .null {
      pairs.append(("bytes written", Quantity.bytes(job.bytesWritten)))
      pairs.append(("bytes freed", Quantity.bytes(job.bytesFreed)))
      if let pause = result["pause-ns"]?.asInteger {
        pairs.append(("standstill", Quantity.time(.nanoseconds(pause))))
      }
    }
    pairs += job.remarks.map { ("remark", $0) }
    return pairs.filter { !$0.1.isEmpty }.map { "\($0.0): \(Table.printable($0.1))" }
  }
}
