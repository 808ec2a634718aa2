import Qcow2
import Synchronization
import SystemPackage

/// An image file in memory.
final class MemoryFile: ImageFile {
  let path = "memory.qcow2"
  let isWritable = true
  let isBlockDevice = false
  let identity = FileIdentity(device: 0, inode: 1)
  let descriptor: FileDescriptor? = nil

  /// Beyond it, writing is out of space.
  private static let capacity: Int64 = 4 << 20
  private let content: Mutex<[UInt8]>

  init(_ bytes: [UInt8]) { content = Mutex(bytes) }

  /// What it contains now.
  var bytes: [UInt8] { content.withLock { $0 } }

  func length() throws(Qcow2Error) -> Int64 { content.withLock { Int64($0.count) } }

  func stamp() throws(Qcow2Error) -> FileStamp { FileStamp(length: try length(), modified: 0) }

  func allocatedByteCount() throws(Qcow2Error) -> Int64 { try length() }

  func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int {
    guard offset >= 0 else { throw Qcow2Error(.io, "an offset below zero", path: path) }
    return content.withLock { content in
      guard offset < content.count else { return 0 }
      let part = content[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: part)
      return part.count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error) {
    let (end, overflow) = offset.addingReportingOverflow(Int64(bytes.count))
    guard offset >= 0, !overflow else { throw Qcow2Error(.io, "an offset below zero", path: path) }
    if end > Int64(content.withLock { $0.count }) { try setLength(end) }
    content.withLock { content in
      content.withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[Int(offset)...]).copyMemory(from: bytes)
      }
    }
  }

  func synchronize() throws(Qcow2Error) {}

  func setLength(_ length: Int64) throws(Qcow2Error) {
    guard length <= Self.capacity else { throw Qcow2Error(.noSpace, "it is full", path: path) }
    content.withLock { content in
      if length <= content.count {
        content.removeSubrange(Int(length)...)
      } else {
        content += [UInt8](repeating: 0, count: Int(length) - content.count)
      }
    }
  }

  func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool {
    content.withLock { content in
      let range = Int(offset)..<min(Int(offset + length), content.count)
      content.replaceSubrange(range, with: repeatElement(0, count: range.count))
    }
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
  /// Opens the image in it; a fence is not waited for.
  func open(_ purpose: Image.Purpose) throws(Qcow2Error) -> Image {
    try Image.open(
      path, for: purpose, access: MemoryAccess(file: self), isCancelled: { true })
  }
}
