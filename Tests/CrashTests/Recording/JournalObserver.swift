import Qcow2
import SystemPackage

/// The real image files; what is done to them goes into a journal. Nothing is made durable for real: the journal
/// says what would have been.
struct RecordedFiles: FileAccess {
  let journal: Journal

  func open(_ path: String, _ mode: Qcow2.FileMode) throws(Qcow2Error) -> any ImageFile {
    RecordedFile(try PosixFileAccess().open(path, mode), journal)
  }

  func create(_ path: String) throws(Qcow2Error) -> any ImageFile {
    guard journal.admit(.create, of: path, nil) else { throw RecordedFile.failure(path) }
    let file = try PosixFileAccess().create(path)
    return RecordedFile(file, journal)
  }

  func remove(_ path: String) throws(Qcow2Error) {
    guard journal.admit(.remove, of: path, nil) else { throw RecordedFile.failure(path) }
    try PosixFileAccess().remove(path)
  }

  func synchronizeDirectory(of path: String) throws(Qcow2Error) {
    journal.note(.synchronizeName, of: path)
  }
}

private final class RecordedFile: ImageFile {
  private let file: any ImageFile
  private let journal: Journal

  init(_ file: any ImageFile, _ journal: Journal) {
    self.file = file
    self.journal = journal
  }

  var path: String { file.path }
  var isWritable: Bool { file.isWritable }
  var isBlockDevice: Bool { file.isBlockDevice }
  var identity: FileIdentity { file.identity }
  var descriptor: FileDescriptor? { file.descriptor }
  func length() throws(Qcow2Error) -> Int64 { try file.length() }
  func stamp() throws(Qcow2Error) -> FileStamp { try file.stamp() }
  func allocatedByteCount() throws(Qcow2Error) -> Int64 { try file.allocatedByteCount() }

  func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int {
    try file.readAvailable(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error) {
    if offset == 0, bytes.count == 512 { journal.passFirstSector() }
    try admit(.change(.write(Array(bytes)[...], at: Int(offset))), .imageWrite, .noSpace)
    try file.write(bytes, at: offset)
  }

  func synchronize() throws(Qcow2Error) { try admit(.synchronize, .imageSync, .ioError) }

  func setLength(_ length: Int64) throws(Qcow2Error) {
    try admit(.change(.length(Int(length))), nil, .ioError)
    try file.setLength(length)
  }

  func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool {
    try admit(.change(.clear(at: Int(offset), count: Int(length))), nil, .ioError)
    guard try file.punchHole(at: offset, length: length) else {
      throw Qcow2Error(.io, "the test needs storage that can give space back", path: path)
    }
    return true
  }

  static func failure(_ path: String) -> Qcow2Error {
    Qcow2Error(.io, "the storage failed", path: path, cause: .ioError)
  }

  private func admit(
    _ event: Journal.Event, _ kind: Journal.Fault.Kind?, _ cause: Errno
  ) throws(Qcow2Error) {
    guard journal.admit(event, of: path, kind) else {
      throw Qcow2Error(
        cause == .noSpace ? .noSpace : .io, "the storage failed", path: path, cause: cause)
    }
  }
}
