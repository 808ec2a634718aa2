/// One step of a history, in a form that is cheap to keep.
struct ExplorationEvent: Sendable {
  /// What happens.
  enum Name: UInt8, CaseIterable {
    case prepares, flushes, entersIntent, writesFence, writesAfter, writesBefore, writesAfterFence
    case rewrites, synchronizes, entersRecord, entersUndone, givesBack, settles, secures, notes
    case begins, locks, reads, peeks, looks, ends, isCancelled, isKilled
    case recovers, writes, writesHeader, opens, letsGo, dropsSector, dropsData
    case goesAway, comesBack, rebuildsIndex, losesPower, swapsNames, restoresCatalog
  }

  /// Who does it.
  enum Actor: UInt8 {
    case worker, recovery0, recovery1, otherCatalog, guest, somebody, kernel, disk, user, catalog

    var words: String {
      switch self {
      case .worker: "worker"
      case .recovery0: "recovery"
      case .recovery1: "second recovery"
      case .otherCatalog: "other catalog"
      case .guest: "guest"
      case .somebody: "somebody"
      case .kernel: "page cache"
      case .disk: "disk"
      case .user: "user"
      case .catalog: "catalog"
      }
    }
  }

  /// How it ends.
  enum End: UInt8 {
    case done
    /// It fails.
    case fails
    /// It fails; what was to be written is there, or may be.
    case failsLate
    /// The process is killed in it.
    case killed

    var words: String {
      switch self {
      case .done: ""
      case .fails: ", which FAILS"
      case .failsLate: ", which FAILS, but is written"
      case .killed: ", is KILLED in it"
      }
    }
  }

  let packed: UInt32

  init(_ actor: Actor, _ name: Name, _ index: Int = 15, _ end: End = .done) {
    packed =
      UInt32(name.rawValue) | UInt32(actor.rawValue) << 8 | UInt32(end.rawValue) << 12
      | UInt32(truncatingIfNeeded: index) << 16
  }

  init(packed: UInt32) { self.packed = packed }

  var name: Name? { Name(rawValue: UInt8(truncatingIfNeeded: packed)) }
  var end: End? { End(rawValue: UInt8(truncatingIfNeeded: packed >> 12 & 15)) }

  /// As a line of a trace.
  var words: String {
    let actor = Actor(rawValue: UInt8(truncatingIfNeeded: packed >> 8 & 15))?.words ?? ""
    let index = packed >> 16
    let place = index == 15 ? "" : " \(index)"
    return "\(actor): \(name.map { "\($0)" } ?? "")\(place)\(end?.words ?? "")"
  }
}
