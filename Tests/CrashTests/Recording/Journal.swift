import Synchronization

/// Everything that one process has done to images and to its catalog, in one order.
final class Journal: Sendable {
  /// One step.
  enum Event: Sendable {
    case change(FileModel.Change)
    case synchronize
    /// An fsync that reported an error.
    case failToSynchronize
    case create
    case remove
    /// The directory was made durable.
    case synchronizeName
    /// Somebody was told that this many of the jobs are done.
    case acknowledge(Int)
    /// The process has seen a failure that was made for it.
    case fault
  }

  /// An event and its file; the path is empty for those that are about none.
  struct Entry: Sendable {
    let path: String
    let event: Event
  }

  /// One call that fails.
  struct Fault: Sendable, Hashable, CustomStringConvertible {
    /// What kind of call, and of which files.
    enum Kind: String, Sendable, Hashable, CaseIterable {
      case imageSync, imageWrite, catalogSync, catalogWrite

      var isOfCatalog: Bool { self == .catalogSync || self == .catalogWrite }
    }

    let kind: Kind
    /// Which call of that kind, from 1 on.
    let number: Int
    /// Whether all later ones fail as well.
    var lasts = false
    /// Whether the process ends instead of the call.
    var kills = false

    var description: String {
      "\(kills ? "killed at " : "failed ")\(kind) \(number)\(lasts ? " and all later ones" : "")"
    }
  }

  private struct State {
    var entries: [Entry] = []
    var counts: [Fault.Kind: Int] = [:]
    var isOver = false
    /// Whether the process has been killed, and only does not know it yet.
    var isDead = false
    /// Called once, before the first write of a first sector.
    var onFirstSector: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let fault: Fault?

  init(failing fault: Fault? = nil) { self.fault = fault }

  /// What has happened so far.
  var entries: [Entry] { state.withLock { $0.entries } }

  /// How many calls of a kind there were.
  func count(of kind: Fault.Kind) -> Int { state.withLock { $0.counts[kind] ?? 0 } }

  /// What comes from here on is not entered: the process is dead.
  func finish() { state.withLock { $0.isOver = true } }

  /// Has something done once, before the first sector of any image is written.
  func beforeFirstSector(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.onFirstSector = body }
  }

  /// A first sector is about to be written.
  func passFirstSector() {
    let body = state.withLock { state in
      defer { state.onFirstSector = nil }
      return state.onFirstSector
    }
    body?()
  }

  /// What comes from here on is done by another process.
  func revive() { state.withLock { $0.isDead = false } }

  /// Enters an event.
  func note(_ event: Event, of path: String = "") {
    state.withLock { state in
      if !state.isOver, !state.isDead { state.entries.append(Entry(path: path, event: event)) }
    }
  }

  /// Enters an event, unless it is to fail.
  ///
  /// - Returns: whether the call may be made.
  func admit(_ event: Event, of path: String, _ kind: Fault.Kind?) -> Bool {
    state.withLock { state in
      guard !state.isOver else { return true }
      guard !state.isDead else { return false }
      if let kind {
        let number = (state.counts[kind] ?? 0) + 1
        state.counts[kind] = number
        if let fault, fault.kind == kind,
          number == fault.number || (fault.lasts && number > fault.number)
        {
          if fault.kills { state.isDead = true }
          if case .synchronize = event, !fault.kills {
            state.entries.append(Entry(path: path, event: .failToSynchronize))
          }
          state.entries.append(Entry(path: "", event: .fault))
          return false
        }
      }
      state.entries.append(Entry(path: path, event: event))
      return true
    }
  }
}

extension [String: FileModel] {
  /// The files after one more event.
  mutating func apply(_ entry: Journal.Entry) {
    guard !entry.path.isEmpty else { return }
    var model = self[entry.path] ?? FileModel(nil)
    // The dictionary lets go of it, so that its pages are not copied.
    self[entry.path] = nil
    switch entry.event {
    case .change(let change): model.apply(change)
    case .synchronize: model.synchronize()
    case .failToSynchronize: model.failToSynchronize()
    case .create: model.setExists(true)
    case .remove: model.setExists(false)
    case .synchronizeName: model.synchronizeName()
    case .acknowledge, .fault: break
    }
    self[entry.path] = model
  }
}
