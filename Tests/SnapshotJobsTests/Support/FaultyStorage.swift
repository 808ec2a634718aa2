import Jobs
import Qcow2
import Synchronization
import SystemPackage
import TestFiles

/// Storage that fails once, or loses power, at one chosen operation of all that change files or make
/// something durable, the catalog's included.
final class FaultyStorage: FileObserver {
  /// What goes wrong.
  enum Fault: Sendable, Hashable {
    /// Nothing: operations are only counted.
    case none
    /// This operation reports an error and everything goes on. A write may have been done all the
    /// same.
    case error(at: Int, isDone: Bool)
    /// Power goes before this operation: it and every later one fails, and of what was not made
    /// durable this much survives.
    case powerLoss(at: Int, survivors: Survivors)
  }

  /// What reaches the disk of writes that were not made durable.
  enum Survivors: Sendable, Hashable, CaseIterable {
    case none
    case all
    /// Every sector of 512 bytes for itself, by chance.
    case some
  }

  private enum Change {
    case bytes([UInt8], at: Int)
    case length(Int)
  }

  private struct File {
    let path: String
    var durable: [UInt8]
    var pending: [Change] = []
  }

  private struct State {
    var fault: Fault
    var operationCount = 0
    var isOff = false
    var hasFailed = false
    var files: [FileIdentity: File] = [:]
  }

  private let state: Mutex<State>

  init(_ fault: Fault = .none) { state = Mutex(State(fault: fault)) }

  var operationCount: Int { state.withLock { $0.operationCount } }
  /// Whether the fault has happened.
  var hasFailed: Bool { state.withLock { $0.hasFailed } }
  var isOff: Bool { state.withLock { $0.isOff } }

  // MARK: Files

  func willRead() throws(Qcow2Error) {
    if isOff { throw Self.off }
  }

  func hasOpened(_ file: any ImageFile) throws(Qcow2Error) {
    guard file.isWritable else { return }
    try state.withLock { state throws(Qcow2Error) in
      guard state.files[file.identity] == nil else { return }
      state.files[file.identity] = File(
        path: file.path, durable: try file.read(byteCount: Int(file.length()), at: 0))
    }
  }

  func perform(
    _ operation: FileOperation, on file: any ImageFile,
    _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    try state.withLock { state throws(Qcow2Error) in
      guard !state.isOff else { throw Self.off }
      state.operationCount += 1
      switch state.fault {
      case .powerLoss(state.operationCount, let survivors):
        // A write that is under way is lost or done like the others that were not made durable.
        if case .write = operation { try Self.note(operation, file, &state, body) }
        try Self.losePower(&state, survivors)
        throw Self.off
      case .error(state.operationCount, let isDone):
        state.hasFailed = true
        if isDone { try Self.note(operation, file, &state, body) }
        throw Qcow2Error(.io, "the storage failed", path: file.path, cause: .ioError)
      default: try Self.note(operation, file, &state, body)
      }
    }
  }

  /// Does an operation and remembers it until it is durable.
  private static func note(
    _ operation: FileOperation, _ file: any ImageFile, _ state: inout State,
    _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    try body()
    switch operation {
    case .write(let bytes, let offset):
      state.files[file.identity]?.pending.append(.bytes(bytes, at: Int(offset)))
    case .punchHole(let offset, let byteCount):
      state.files[file.identity]?.pending.append(
        .bytes([UInt8](repeating: 0, count: Int(byteCount)), at: Int(offset)))
    case .setLength(let length):
      state.files[file.identity]?.pending.append(.length(Int(length)))
    case .synchronize:
      state.files[file.identity]?.pending = []
      state.files[file.identity]?.durable = try file.read(byteCount: Int(file.length()), at: 0)
    }
  }

  // MARK: The catalog

  /// Counts an operation of the catalog, before or after it has become durable.
  func passCatalog() throws(JobError) {
    try state.withLock { state throws(JobError) in
      guard !state.isOff else { throw JobError(.catalog, "the power is off") }
      state.operationCount += 1
      switch state.fault {
      case .powerLoss(state.operationCount, let survivors):
        do throws(Qcow2Error) {
          try Self.losePower(&state, survivors)
        } catch {
          throw JobError(.general, "\(error)")
        }
        throw JobError(.catalog, "the power is off")
      case .error(state.operationCount, _):
        state.hasFailed = true
        throw JobError(.catalog, "the catalog failed")
      default: break
      }
    }
  }

  /// Throws once the power is off.
  func requirePower() throws(JobError) {
    if isOff { throw JobError(.catalog, "the power is off") }
  }

  // MARK: Power

  private static let off = Qcow2Error(.io, "the power is off", cause: .ioError)

  private static func losePower(
    _ state: inout State, _ survivors: Survivors
  ) throws(Qcow2Error) {
    state.isOff = true
    state.hasFailed = true
    guard survivors != .all else { return }
    var chance = Chance(seed: UInt64(state.operationCount))
    for file in state.files.values where !file.pending.isEmpty {
      var content = file.durable
      for change in file.pending {
        switch change {
        case .bytes(let bytes, let offset):
          apply(bytes, at: offset, to: &content, survivors, &chance)
        case .length(let length):
          if survivors == .some, chance.next() { setLength(length, of: &content) }
        }
      }
      let raw = try PosixFile(opening: file.path, .readWrite)
      try raw.setLength(0)
      try raw.write(content, at: 0)
    }
  }

  private static func apply(
    _ bytes: [UInt8], at offset: Int, to content: inout [UInt8], _ survivors: Survivors,
    _ chance: inout Chance
  ) {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + 512)
      if survivors == .some, chance.next() {
        setLength(max(content.count, offset + end), of: &content)
        content.replaceSubrange(offset + start..<offset + end, with: bytes[start..<end])
      }
      start = end
    }
  }

  private static func setLength(_ length: Int, of content: inout [UInt8]) {
    if length < content.count {
      content.removeSubrange(length...)
    } else {
      content += [UInt8](repeating: 0, count: length - content.count)
    }
  }
}

/// Yes or no by chance, the same each time for one seed.
private struct Chance {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  mutating func next() -> Bool {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state >> 40 & 1 == 1
  }
}
