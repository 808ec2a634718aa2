import FileNames
import Foundation
import Glibc
public import Jobs
import Qcow2

extension Catalog {
  /// Whether a file is the catalog's: itself, its log and index, a lock of its processes, or a device state that waits.
  ///
  /// - Parameter path: absolute. Nothing is opened.
  /// - Returns: whether it is.
  public func owns(_ path: String) -> Bool { CatalogFamily(of: self.path).contains(path) }

  /// Copies the catalog, as it is in one instant, into a file (0600) while others go on using it.
  ///
  /// What has the name is replaced at once and whole if it is empty, or a copy of a catalog that nobody uses. A FIFO or
  /// a character device is written to.
  ///
  /// - Throws: `JobError`: a conflict if something else has the name, or what went wrong; a file that has the name is
  ///   as it was then.
  public func backup(to path: String) throws(JobError) {
    try BackupTarget(path, catalog: self).write { file throws(JobError) in
      try database.copy(to: file)
    }
  }
}

/// The file that a copy of a catalog is to become.
private struct BackupTarget {
  /// What each SQLite database begins with, and where its application id stands (SQLite's "Database File Format").
  private static let magic = Array("SQLite format 3\0".utf8)
  private static let applicationIDOffset = 68
  /// Bytes that are passed on at once.
  private static let pieceByteCount = 1 << 20

  /// The file, without symbolic links.
  private let path: String
  /// Whether it is written to as it is.
  private let isSpecial: Bool
  private let catalog: String

  init(_ given: String, catalog: Catalog) throws(JobError) {
    self.catalog = catalog.path
    let directory = given.pathParts.directory
    guard realpath(directory + "/") != nil else {
      throw JobError(.notFound, "\(given): there is no directory \(directory); choose another FILE")
    }
    guard let real = RealPath.ofFile(given) else {
      throw JobError(
        .conflict, "\(given) is a symbolic link that leads nowhere. Name another file")
    }
    var status = stat()
    path = real
    guard stat(given, &status) == 0 else {
      isSpecial = false
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFIFO, S_IFCHR: isSpecial = true
    case S_IFREG: isSpecial = false
    default: throw JobError(.conflict, "\(given) is no regular file, and is not replaced by one")
    }
    if isSpecial { return }
    // Before it is opened: see CatalogFile.
    guard !catalog.owns(real), !CatalogFamily(of: real).isInUse else {
      throw JobError(
        .conflict, "\(given) is a catalog in use, and is not replaced. Name another file")
    }
    if status.st_size == 0 { return }
    guard try Self.isCopy(real) else {
      throw JobError(
        .conflict,
        "\(given) exists already and is no copy of a catalog. Name another file, or remove it first"
      )
    }
  }

  /// Whether a file begins as a catalog does.
  private static func isCopy(_ path: String) throws(JobError) -> Bool {
    do {
      let file = try reading(path)
      let start = [UInt8](try file.read(upToCount: applicationIDOffset + 4) ?? Data())
      guard start.count == applicationIDOffset + 4 else { return false }
      let id = start[applicationIDOffset...].reduce(Int64(0)) { $0 << 8 | Int64($1) }
      return start.starts(with: magic) && id == CatalogMigrations.applicationID
    } catch {
      throw failure(error, path)
    }
  }

  /// Has the copy made under a name that nobody knows, and gives it its own.
  func write(_ copy: (String) throws(JobError) -> Void) throws(JobError) {
    let beside = isSpecial ? catalog : path
    let unfinished = "\(beside).copy-\(String(UInt64.random(in: .min ... .max), radix: 16))"
    defer { unlink(unfinished) }
    do throws(JobError) {
      try copy(unfinished)
      if isSpecial { return try pour(unfinished) }
      let failure = CatalogFailure(path: path, busyTimeout: .zero)
      try CatalogFile.synchronize(unfinished, failure)
      guard rename(unfinished, path) == 0 else {
        throw failure.systemError(errno, doing: "name it")
      }
      try CatalogFile.syncDirectory(path.pathParts.directory, failure)
    } catch {
      throw Self.failure(error, path)
    }
  }

  private static func reading(_ path: String) throws(POSIXError) -> FileHandle {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// What keeps the copy from being made, as what is to become of the file.
  private static func failure(_ error: any Error, _ path: String) -> JobError {
    guard let error = error as? JobError else {
      return JobError(
        .general, "\(path): the copy of the catalog cannot be made: \(error.localizedDescription)")
    }
    return switch error.kind {
    case .noSpace:
      JobError(
        .noSpace,
        "\(path): no space left for a copy of the catalog. Free some, or name another FILE")
    case .permission:
      JobError(
        .permission,
        "\(path): no permission to put a copy of the catalog there. Name another FILE")
    case .catalog:
      JobError(.catalog, "\(path): no copy of the catalog can be put there. Name another FILE")
    default: error
    }
  }

  /// Writes the copy into a FIFO or a device.
  private func pour(_ copy: String) throws(JobError) {
    // A FIFO that nobody reads would keep us for ever.
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0 else {
      guard errno == ENXIO else {
        throw CatalogFailure(path: path, busyTimeout: .zero).systemError(errno, doing: "open it")
      }
      throw JobError(
        .connection, "\(path): nobody reads from it. The reader has to be started first")
    }
    _ = fcntl(descriptor, F_SETFL, O_WRONLY)
    do {
      let output = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      let input = try Self.reading(copy)
      defer { try? input.close() }
      while let piece = try input.read(upToCount: Self.pieceByteCount), !piece.isEmpty {
        try output.write(contentsOf: piece)
      }
    } catch {
      throw Self.failure(error, path)
    }
  }
}
