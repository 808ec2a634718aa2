package import Qcow2
import SystemPackage

/// What changes a file, or makes a change durable.
package enum FileOperation: Sendable {
  case write([UInt8], at: Int64)
  case synchronize
  case setLength(Int64)
  case punchHole(at: Int64, byteCount: Int64)
}

/// Stands between the engine and its files.
package protocol FileObserver: Sendable {
  /// Does an operation by calling the body, or fails.
  func perform(
    _ operation: FileOperation, on file: any ImageFile,
    _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error)

  /// Called before each read.
  func willRead() throws(Qcow2Error)

  /// Called for each file that was opened.
  func hasOpened(_ file: any ImageFile) throws(Qcow2Error)

  /// Called before a file is created.
  func willCreate(_ path: String) throws(Qcow2Error)

  /// Called before a file is removed.
  func willRemove(_ path: String) throws(Qcow2Error)

  /// Called before the directory of a file is made durable.
  func willSynchronizeDirectory(of path: String) throws(Qcow2Error)

  /// Called where the storage of a file cannot give space back.
  func cannotPunchHole(in file: any ImageFile) throws(Qcow2Error)
}

extension FileObserver {
  package func willRead() throws(Qcow2Error) {}
  package func hasOpened(_ file: any ImageFile) throws(Qcow2Error) {}
  package func willCreate(_ path: String) throws(Qcow2Error) {}
  package func willRemove(_ path: String) throws(Qcow2Error) {}
  package func willSynchronizeDirectory(of path: String) throws(Qcow2Error) {}
  package func cannotPunchHole(in file: any ImageFile) throws(Qcow2Error) {}
}

/// The real files, observed. Nothing is made durable for real, which would only cost time: the observer decides
/// what survives.
package struct ObservedFiles: FileAccess {
  private let observer: any FileObserver

  package init(observer: any FileObserver) { self.observer = observer }

  package func open(_ path: String, _ mode: Qcow2.FileMode) throws(Qcow2Error) -> any ImageFile {
    try observer.willRead()
    let file = try PosixFileAccess().open(path, mode)
    try observer.hasOpened(file)
    return ObservedFile(file, observer)
  }

  package func create(_ path: String) throws(Qcow2Error) -> any ImageFile {
    try observer.willCreate(path)
    return ObservedFile(try PosixFileAccess().create(path), observer)
  }

  package func remove(_ path: String) throws(Qcow2Error) {
    try observer.willRemove(path)
    try PosixFileAccess().remove(path)
  }

  package func synchronizeDirectory(of path: String) throws(Qcow2Error) {
    try observer.willSynchronizeDirectory(of: path)
  }
}

/// One observed file.
private final class ObservedFile: ImageFile {
  private let file: any ImageFile
  private let observer: any FileObserver

  init(_ file: any ImageFile, _ observer: any FileObserver) {
    self.file = file
    self.observer = observer
  }

  var path: String { file.path }
  var isWritable: Bool { file.isWritable }
  var isBlockDevice: Bool { file.isBlockDevice }
  var identity: FileIdentity { file.identity }
  var descriptor: FileDescriptor? { file.descriptor }
  func length() throws(Qcow2Error) -> Int64 { try file.length() }
  func stamp() throws(Qcow2Error) -> FileStamp { try file.stamp() }
  func allocatedByteCount() throws(Qcow2Error) -> Int64 { try file.allocatedByteCount() }
  func hasData(at offset: Int64, byteCount: Int) -> Bool {
    file.hasData(at: offset, byteCount: byteCount)
  }

  func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int {
    try observer.willRead()
    return try file.readAvailable(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error) {
    try observer.perform(.write(Array(bytes), at: offset), on: file) { () throws(Qcow2Error) in
      try file.write(bytes, at: offset)
    }
  }

  func synchronize() throws(Qcow2Error) {
    try observer.perform(.synchronize, on: file) {}
  }

  func setLength(_ length: Int64) throws(Qcow2Error) {
    try observer.perform(.setLength(length), on: file) { () throws(Qcow2Error) in
      try file.setLength(length)
    }
  }

  func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool {
    var isDone = false
    try observer.perform(.punchHole(at: offset, byteCount: length), on: file) {
      () throws(Qcow2Error) in
      isDone = try file.punchHole(at: offset, length: length)
    }
    if !isDone { try observer.cannotPunchHole(in: file) }
    return isDone
  }
}
