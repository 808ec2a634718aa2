import Jobs
import QMP

/// What an endpoint tells of one job: an element of `x-snapjob-query-jobs`.
struct JobView: Sendable, Hashable {
  /// The members as they came.
  let value: QMPValue

  init(_ value: QMPValue) { self.value = value }

  /// The job's name.
  var id: String { value.text("id") }
  /// What it does.
  var type: String { value.text("type") }
  /// Where it is, in QEMU's words.
  var status: String { value.text("status") }
  /// Bytes done.
  var current: Int64 { value.integer("current-progress") }
  /// Bytes done and to do.
  var total: Int64 { value.integer("total-progress") }
  /// Why it failed; nil if it did not.
  var error: String? { value["error"]?.asText }
  /// Its machine; nil for a one-off one.
  var machine: String? { value["machine"]?.asText }
  /// Sentences for the user.
  var remarks: [String] { value["result"]?.texts("remarks") ?? [] }
  /// The nodes whose images changed; nil if that is not known.
  var changedNodes: [String]? {
    value["result"]?["changed"] == nil ? nil : value["result"]?.texts("changed")
  }
  /// The tags that a delete found; nil if that is not known.
  var deletedTags: [String]? {
    value["result"]?["deleted"] == nil ? nil : value["result"]?.texts("deleted")
  }
  /// Bytes written into images.
  var bytesWritten: Int64 { value["result"]?.integer("bytes-written") ?? 0 }
  /// Bytes given back to the filesystem.
  var bytesFreed: Int64 { value["result"]?.integer("bytes-freed") ?? 0 }

  /// Whether it is over.
  var isConcluded: Bool { Self.isFinal(status) }

  /// Whether its commit did not come to its end, or that could not be noted: recovery goes on with it.
  var isInDoubt: Bool { status == "pending" && error != nil }

  /// Whether a status is the end of a job.
  static func isFinal(_ status: String) -> Bool { status == "concluded" || status == "null" }

  /// The members that QMP's own `query-jobs` tells, and the machine: what `{"return": …}` carries.
  var info: QMPValue {
    .present([
      "current-progress": .int(current), "status": .string(status),
      "total-progress": .int(total), "type": .string(type), "id": .string(id),
      "error": error.map { .string($0) }, "machine": machine.map { .string($0) },
    ])
  }

  /// How the job ended, or why it is left to recovery; nil if it ended well or goes on.
  var failure: CommandFailure? {
    guard isConcluded || isInDoubt else { return nil }
    let code = value["exit-code"]?.asInteger
    guard let error else {
      guard let code, code != 0 else { return nil }
      return CommandFailure(Self.status(code), "job \(id) failed")
    }
    return CommandFailure(code.map(Self.status) ?? .failed, error, machine: machine)
  }

  private static func status(_ code: Int64) -> ExitStatus {
    ExitStatus(rawValue: Int32(exactly: code) ?? ExitStatus.failed.rawValue)
  }
}

/// Finding jobs. A server that is no snapjob has QEMU's `query-jobs` only: the jobs that are not
/// dismissed, without their history.
extension QMPEndpoint {
  /// The jobs that are not dismissed, newest first, with all that the server tells of them.
  func currentJobs() async throws(QMPError) -> QMPValue {
    do throws(QMPError) {
      return try await execute("x-snapjob-query-jobs", nil)
    } catch {
      guard error.errorClass == .commandNotFound else { throw error }
      return try await execute("query-jobs", nil)
    }
  }

  /// The newest job of an id in the whole catalog, dismissed ones included; nil if there is none.
  func findJob(_ id: String) async throws -> JobView? {
    let arguments: QMPValue = ["id": .string(id), "history": true, "all-machines": true]
    do {
      return try await execute("x-snapjob-query-jobs", arguments).elements.first.map(JobView.init)
    } catch {
      if error.errorClass == .commandNotFound {
        return try await currentJobs().elements.map(JobView.init).first { $0.id == id }
      }
      guard error.kind == "notFound" else { throw error }
      return nil
    }
  }

  /// The newest job of an id.
  ///
  /// - Throws: not found, in QEMU's words and with the id.
  func job(_ id: String) async throws -> JobView {
    guard let job = try await findJob(id) else {
      throw CommandFailure(
        .notFound, "Job not found: \(id). See: \(NextStep("query-jobs", "--history"))")
    }
    return job
  }

  /// Moves a concluded job of this id to the history, so that the id is free.
  func releaseJobID(_ id: String) async throws {
    guard let job = try await findJob(id), job.status == "concluded" else { return }
    do {
      _ = try await execute("job-dismiss", ["id": .string(id)])
    } catch {
      // Not found: it is in the history already, where a job keeps the status that it ended with.
      guard error.desc == "Job not found" else { throw error }
    }
  }
}
