import FileNames
import Qcow2

/// The files of one catalog.
struct CatalogFamily {
  private let path: String
  private var directories: [String] { [path + ".workers", path + ".states"] }
  private var companions: [String] { ["-wal", "-shm", "-journal"].map { path + $0 } }

  /// Names them.
  ///
  /// - Parameter path: the catalog's, absolute and without symbolic links.
  init(of path: String) { self.path = path }

  /// Whether a file is one of them, under whatever name; nothing is opened.
  func contains(_ file: String) -> Bool {
    ([path] + companions).contains { RealPath.areSame($0, file) }
      || directories.contains { RealPath.areSame($0, file.pathParts.directory) }
  }

  /// Whether somebody uses the catalog, or has died while he did.
  var isInUse: Bool { (companions + directories).contains { FileIdentity(atPath: $0) != nil } }
}
