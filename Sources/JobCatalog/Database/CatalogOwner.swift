import FileNames
import Glibc
import Jobs

/// Whose a catalog is.
///
/// A process leaves files beside the catalog that only its own user may open: the log and its index, and the directory
/// of the workers' locks. So whoever uses another user's catalog locks that user out of it. Root could do so without
/// noticing.
enum CatalogOwner {
  /// Refuses root a directory that is another user's.
  ///
  /// Other users are not kept from directories that are shared among them.
  ///
  /// - Parameters:
  ///   - directory: an existing one.
  ///   - failure: of the catalog.
  /// - Throws: `JobError` (permission) with the owner's name.
  static func checkDirectory(
    _ directory: String, _ failure: CatalogFailure
  ) throws(JobError) {
    guard geteuid() == 0, let owner = owner(of: directory), owner != 0 else { return }
    throw failure.foreign("its directory \(directory) belongs to", name(of: owner))
  }

  /// Refuses a catalog that is another user's.
  ///
  /// - Parameters:
  ///   - path: of the catalog; it may be missing.
  ///   - failure: of the catalog.
  /// - Throws: `JobError` (permission) with the owner's name.
  static func checkFile(_ path: String, _ failure: CatalogFailure) throws(JobError) {
    guard let owner = owner(of: path), owner != geteuid() else { return }
    throw failure.foreign("it belongs to", name(of: owner))
  }

  private static func owner(of path: String) -> uid_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_uid : nil
  }

  /// A user's name, or the number where there is none.
  private static func name(of uid: uid_t) -> String {
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    // Entries are far below this, also where they come from a directory service.
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwuid_r(uid, &entry, &buffer, buffer.count, &result) == 0, result != nil,
      let name = entry.pw_name
    else { return "\(uid)" }
    return withExtendedLifetime(buffer) { String(cString: name) }
  }
}
