import Synchronization
import SystemPackage

@testable import Qcow2

/// One change of a file, as it was asked for.
enum FileOperation: Sendable, Hashable {
  case write([UInt8], at: Int64)
  case setLength(Int64)
  case punchHole(at: Int64, length: Int64)
  case synchronize

  /// Whether it is a write of the first sector.
  var isFirstSector: Bool { if case .write(_, at: 0) = self { true } else { false } }

  /// Makes the change.
  func apply(to bytes: inout [UInt8]) {
    switch self {
    case .write(let content, let offset):
      let start = Int(offset)
      let missing = start + content.count - bytes.count
      if missing > 0 { bytes += [UInt8](repeating: 0, count: missing) }
      bytes.replaceSubrange(start..<start + content.count, with: content)
    case .setLength(let length):
      if Int(length) <= bytes.count {
        bytes.removeSubrange(Int(length)...)
      } else {
        bytes += [UInt8](repeating: 0, count: Int(length) - bytes.count)
      }
    case .punchHole(let offset, let length):
      let range = Int(offset)..<min(Int(offset + length), bytes.count)
      bytes.replaceSubrange(range, with: repeatElement(0, count: range.count))
    case .synchronize: break
    }
  }
}

/// An image file in memory, which remembers every change and can fail.
final class MemoryFile: ImageFile {
  let path = "memory.qcow2"
  let isWritable = true
  let isBlockDevice: Bool
  let identity = FileIdentity(device: 0, inode: 1)
  let descriptor: FileDescriptor? = nil

  private struct State {
    var bytes: [UInt8]
    var operations: [FileOperation] = []
    var operationsUntilFailure: Int?
  }

  private let state: Mutex<State>
  /// Writing beyond this length is out of space.
  private let capacity: Int64
  /// Whether its filesystem has room for writing over what is there.
  private let hasRoom: Bool

  /// A file with this content.
  init(
    _ bytes: [UInt8], capacity: Int64 = 64 << 20, isBlockDevice: Bool = false, hasRoom: Bool = true
  ) {
    state = Mutex(State(bytes: bytes))
    self.capacity = capacity
    self.hasRoom = hasRoom
    self.isBlockDevice = isBlockDevice
  }

  /// What it contains now.
  var bytes: [UInt8] { state.withLock { $0.bytes } }
  /// What was done to it.
  var operations: [FileOperation] { state.withLock { $0.operations } }

  /// Lets the change after this many more ones, and all later ones, fail.
  func fail(after count: Int?) { state.withLock { $0.operationsUntilFailure = count } }

  private func perform(_ operation: FileOperation) throws(Qcow2Error) {
    let failed = state.withLock { state -> Bool in
      if let left = state.operationsUntilFailure {
        guard left > 0 else { return true }
        state.operationsUntilFailure = left - 1
      }
      operation.apply(to: &state.bytes)
      state.operations.append(operation)
      return false
    }
    if failed { throw .system(.ioError, cannot: "write", path: path) }
  }

  func length() throws(Qcow2Error) -> Int64 { state.withLock { Int64($0.bytes.count) } }

  func stamp() throws(Qcow2Error) -> FileStamp {
    FileStamp(length: try length(), modified: 0)
  }

  func allocatedByteCount() throws(Qcow2Error) -> Int64 { try length() }

  func hasRoomForRewrite() throws(Qcow2Error) -> Bool { hasRoom }

  func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int {
    guard offset >= 0 else { throw .system(.invalidArgument, cannot: "read", path: path) }
    return state.withLock { state in
      guard offset < Int64(state.bytes.count) else { return 0 }
      let part = state.bytes[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: part)
      return part.count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error) {
    let (end, overflow) = offset.addingReportingOverflow(Int64(bytes.count))
    guard offset >= 0, !overflow, end <= capacity else {
      throw .system(.noSpace, cannot: "write", path: path)
    }
    try perform(.write(Array(bytes), at: offset))
  }

  func synchronize() throws(Qcow2Error) { try perform(.synchronize) }

  func setLength(_ length: Int64) throws(Qcow2Error) {
    guard length >= 0, length <= capacity else {
      throw .system(.noSpace, cannot: "change its length", path: path)
    }
    try perform(.setLength(length))
  }

  func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool {
    try perform(.punchHole(at: offset, length: length))
    return true
  }
}

/// Hands out one file, whatever the path.
struct MemoryAccess: FileAccess {
  let file: MemoryFile

  func open(_ path: String, _ mode: Qcow2.FileMode) throws(Qcow2Error) -> any ImageFile { file }
  func create(_ path: String) throws(Qcow2Error) -> any ImageFile { file }
  func remove(_ path: String) throws(Qcow2Error) {}
  func synchronizeDirectory(of path: String) throws(Qcow2Error) {}
}

extension MemoryFile {
  /// Opens the image in it.
  func open(_ purpose: Image.Purpose) throws(Qcow2Error) -> Image {
    try Image.open(path, for: purpose, access: MemoryAccess(file: self))
  }
}
