import Qcow2
import SystemPackage
import TestFiles

/// Enters into a journal what is done to image files, and lets fail what the journal does not admit.
struct JournalObserver: FileObserver {
  let journal: Journal

  func perform(
    _ operation: FileOperation, on file: any ImageFile, _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    switch operation {
    case .write(let bytes, let offset):
      if offset == 0, bytes.count == 512 { journal.passFirstSector() }
      try admit(
        .change(.write(bytes[...], at: Int(offset))), of: file.path, .imageWrite, .noSpace)
    case .synchronize: try admit(.synchronize, of: file.path, .imageSync)
    case .setLength(let length): try admit(.change(.length(Int(length))), of: file.path)
    case .punchHole(let offset, let count):
      try admit(.change(.clear(at: Int(offset), count: Int(count))), of: file.path)
    }
    try body()
  }

  func willCreate(_ path: String) throws(Qcow2Error) { try admit(.create, of: path) }
  func willRemove(_ path: String) throws(Qcow2Error) { try admit(.remove, of: path) }
  func willSynchronizeDirectory(of path: String) { journal.note(.synchronizeName, of: path) }

  func cannotPunchHole(in file: any ImageFile) throws(Qcow2Error) {
    throw Qcow2Error(.io, "the test needs storage that can give space back", path: file.path)
  }

  private func admit(
    _ event: Journal.Event, of path: String, _ kind: Journal.Fault.Kind? = nil,
    _ cause: Errno = .ioError
  ) throws(Qcow2Error) {
    guard journal.admit(event, of: path, kind) else {
      throw Qcow2Error(
        cause == .noSpace ? .noSpace : .io, "the storage failed", path: path, cause: cause)
    }
  }
}
