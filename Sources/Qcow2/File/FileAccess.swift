/// Where image files come from: the file system, or a test's own.
public protocol FileAccess: Sendable {
  /// Opens an existing file.
  ///
  /// - Parameters:
  ///   - path: absolute, or relative to the working directory; symbolic links are followed.
  ///   - mode: what it will be used for.
  /// - Returns: the open file.
  /// - Throws: ``Qcow2Error`` (notFound, permission, wrongFileType, io).
  func open(_ path: String, _ mode: FileMode) throws(Qcow2Error) -> any ImageFile

  /// Creates an empty file and opens it for writing.
  ///
  /// - Throws: ``Qcow2Error`` (conflict if something has that path already; notFound, permission,
  ///   noSpace, io). Nothing was created then.
  func create(_ path: String) throws(Qcow2Error) -> any ImageFile

  /// Removes a file.
  func remove(_ path: String) throws(Qcow2Error)

  /// Makes durable that a path exists, or that it does not.
  func synchronizeDirectory(of path: String) throws(Qcow2Error)
}

/// What a file is opened for.
public enum FileMode: Sendable, Hashable {
  /// Reading only.
  case read
  /// Reading and writing.
  case readWrite
}
