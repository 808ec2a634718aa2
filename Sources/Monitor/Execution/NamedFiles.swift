import FileNames
import Glibc
import Jobs
import Qcow2
import SnapshotJobs

/// The files that a client may name.
///
/// Names are followed to what they lead to first, so that no symbolic link leads out of a directory.
struct NamedFiles: Sendable, Hashable {
  /// The directories below which they are, without symbolic links; nil for everywhere.
  let directories: [String]?

  /// Any file.
  static let all = NamedFiles(directories: nil)

  /// The path to use for a name.
  ///
  /// - Parameter path: absolute.
  /// - Returns: what the name leads to where that matters, else the path itself.
  /// - Throws: `JobError` (permission) for what is elsewhere, for what cannot be followed, and for a place where other
  ///   users could put a link later.
  func admit(_ path: String) throws(JobError) -> String {
    guard let directories else { return path }
    if let real = RealPath.ofFile(path),
      directories.contains(where: real.isPath(below:))
    {
      try Self.requireFixed(real)
      return real
    }
    throw JobError(
      .permission,
      "\(path): clients of another user than the server's name files below its directories for them only. "
        + "Allow one where the server is started: --files DIR")
  }
}

extension NamedFiles {
  /// Refuses a place where another user could put a link, or another file, after the name was looked at.
  ///
  /// - Parameter path: without symbolic links.
  /// - Throws: `JobError` that names the directory: permission, or not found if it has gone.
  private static func requireFixed(_ path: String) throws(JobError) {
    let names = path.pathNames.dropLast()
    let directories = names.indices.map { "/" + names[...$0].joined(separator: "/") }
    for (index, directory) in (["/"] + directories).enumerated() {
      var status = stat()
      guard lstat(directory, &status) == 0 else {
        throw JobError(.notFound, "\(directory) has gone")
      }
      let isOurs = [0, geteuid()].contains(status.st_uid)
      let isOpen = status.st_mode & (S_IWGRP | S_IWOTH) != 0
      // In a directory like /tmp only what belongs to others can be exchanged by them.
      let isSticky = status.st_mode & S_ISVTX != 0 && index < directories.count
      guard isOurs, !isOpen || isSticky else {
        throw JobError(
          .permission,
          "\(path): another user can put links into \(directory), which lead anywhere. Files for clients of other "
            + "users lie in directories that only the server's user or root can change")
      }
    }
  }
}

extension CommandContext {
  /// Refuses to a client what shows or names files that are none of its own.
  ///
  /// - Throws: `JobError` (permission) unless the client may name any file.
  func requireAllFiles(for purpose: String) throws(JobError) {
    guard files.directories != nil else { return }
    throw JobError(.permission, "\(purpose) is for the server's own user and root only")
  }

  /// The absolute path of a file that a client names.
  ///
  /// - Throws: `JobError`: permission if the client may not name it; a conflict for the catalog's own files, which are
  ///   not even to be opened: SQLite's locks on them would go with the descriptor.
  func path(_ name: String) throws(JobError) -> String {
    let path = try files.admit(try ImagePath.absolute(name))
    guard !services.catalog.owns(path) else {
      throw JobError(
        .conflict, "\(path) belongs to snapjob's catalog, and nothing else. Name another file")
    }
    return path
  }

  /// The same of a file that is to be written.
  ///
  /// - Throws: as ``path(_:)``, and a conflict for what a node of any machine names, whatever is in it.
  func outputPath(_ name: String) throws(JobError) -> String {
    let path = try path(name)
    for machine in try services.machines.machines() + [try? machine()].compactMap(\.self) {
      for node in machine.nodes where RealPath.areSame(node.path, path) {
        let owner = machine.name.map { " of machine \($0)" } ?? ""
        throw JobError(
          .conflict,
          "\(path) is node '\(node.name)'\(owner), and is not replaced. Name another file")
      }
    }
    return path
  }

  /// An address as a client names it, whose file or socket it may name.
  func address(_ uri: String) throws(JobError) -> MigrationAddress {
    switch try MigrationAddress(uri) {
    case .file(let path): .file(path: try self.path(path))
    case .unix(let path): .unix(path: try self.path(path))
    case .tcp(let host, let port): .tcp(host: host, port: port)
    }
  }
}
