import Jobs
import QMP
import Synchronization

/// What a monitor knows of migrations, as long as it lives: capabilities, parameters, and the last one.
final class Migrations: Sendable {
  private struct State {
    var capabilities: Set<MigrationCapability> = []
    var parameters = MigrationParameters()
    var last: Migration?
  }

  private let state = Mutex(State())
  private let announcements: Announcements

  init(_ announcements: Announcements) { self.announcements = announcements }

  /// What is switched on.
  var capabilities: Set<MigrationCapability> { state.withLock { $0.capabilities } }

  /// How migrations are done.
  var parameters: MigrationParameters { state.withLock { $0.parameters } }

  /// The last migration; nil if there was none.
  var last: Migration? { state.withLock { $0.last } }

  /// Switches capabilities on and off.
  func change(_ changes: [Arguments]) throws(QMPError) {
    try state.withLock { state throws(QMPError) in
      try Self.checkIdle(state)
      state.capabilities = try MigrationCapability.apply(changes, to: state.capabilities)
    }
  }

  /// Changes parameters.
  func change(_ arguments: Arguments) throws {
    try state.withLock { state in try state.parameters.apply(arguments) }
  }

  /// Notes that a migration begins.
  ///
  /// - Throws: QEMU's text if another one is not over.
  func begin(_ migration: Migration) throws(QMPError) {
    try state.withLock { state throws(QMPError) in
      try Self.checkIdle(state)
      state.last = migration
    }
  }

  /// Notes that a migration did not begin after all; the one before is forgotten as well.
  func forget(_ job: JobID) {
    state.withLock { state in if state.last?.job == job { state.last = nil } }
  }

  /// Notes where a migration is, and announces it. What comes after an end, or would lead back, is left out.
  func enter(_ status: MigrationStatus, job: JobID, error: String? = nil) {
    let entered = state.withLock { state -> [MigrationStatus] in
      guard var migration = state.last, migration.job == job, !migration.status.isEnd else {
        return []
      }
      var entered: [MigrationStatus] = []
      if migration.status == .none, status != .setup { entered.append(.setup) }
      if migration.status == .none || status != .setup { entered.append(status) }
      migration.status = entered.last ?? migration.status
      if status.isEnd {
        migration.ended = .now()
        migration.error = error
      }
      state.last = migration
      return state.capabilities.contains(.events) ? entered : []
    }
    for status in entered {
      announcements.announce(
        QMPEvent(
          name: "MIGRATION", data: ["status": .string(status.rawValue)],
          microseconds: Timestamp.now().microseconds))
    }
  }

  private static func checkIdle(_ state: State) throws(QMPError) {
    guard state.last?.status.isEnd ?? true else {
      throw QMPError(.genericError, "There's a migration process in progress", kind: "inUse")
    }
  }
}
