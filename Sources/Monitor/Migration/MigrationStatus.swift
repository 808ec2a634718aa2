import Jobs
import QMP

/// Where a migration is (`MigrationStatus` of qapi/migration.json).
enum MigrationStatus: String, Sendable, Hashable, CaseIterable {
  case none
  /// Begun, not connected.
  case setup
  case cancelling
  case cancelled
  /// Connected.
  case active
  case postcopyActive = "postcopy-active"
  case postcopyPaused = "postcopy-paused"
  case postcopyRecover = "postcopy-recover"
  case completed
  case failed
  case colo
  /// Waits for `migrate-continue` before the bits are sent.
  case preSwitchover = "pre-switchover"
  /// Goes on after ``preSwitchover``.
  case device
  case waitUnplug = "wait-unplug"

  static let schema = SchemaEnumeration("MigrationStatus", allCases.map(\.rawValue))

  /// Whether nothing comes after it.
  var isEnd: Bool {
    switch self {
    case .cancelled, .completed, .failed: true
    default: false
    }
  }

  /// How a transfer ended whose job has concluded.
  init(endOf error: JobError?) {
    self =
      switch error?.kind {
      case nil: .completed
      case .cancelled: .cancelled
      default: .failed
      }
  }
}

/// A migration of a monitor: the job that does it, and what is to be told of it.
struct Migration: Sendable {
  /// The job.
  let job: JobID
  /// Whether it sends.
  let isOutgoing: Bool
  /// When it began.
  let started: Timestamp
  /// Where it is.
  var status = MigrationStatus.none
  /// When it ended; nil before.
  var ended: Timestamp?
  /// Why it failed; nil if it did not.
  var error: String?

  /// The type of ``json(at:)``.
  static let schema = SchemaObject(
    "MigrationInfo",
    [
      .optional("status", .enumeration(MigrationStatus.schema)), .optional("total-time", .integer),
      .optional("error-desc", .string), .optional("x-job-id", .string),
    ])

  /// The migration as `query-migrate` tells of it.
  func json(at now: Timestamp) -> QMPValue {
    var members: [QMPValue.Member] = [.init("status", .string(status.rawValue))]
    // As in QEMU: how long it took is the sender's to tell.
    if isOutgoing, status != .failed, status != .cancelled {
      let end = ended ?? now
      members.append(
        .init("total-time", .int((end.microseconds - started.microseconds) / 1000)))
    }
    if let error, status == .failed { members.append(.init("error-desc", .string(error))) }
    members.append(.init("x-job-id", .string(job.description)))
    return .object(members)
  }
}
