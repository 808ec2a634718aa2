import FileNames
import Glibc
import SystemPackage

/// Where paths lead to.
public enum RealPath {
  /// A path without symbolic links and `..`, of a file that may not be there yet: its directory has to be.
  ///
  /// - Parameter path: absolute.
  /// - Returns: the path; nil if its directory is not there, and for a symbolic link that leads nowhere, which would be
  ///   followed when the file is made.
  public static func ofFile(_ path: String) -> String? {
    if let real = realpath(path) { return real }
    var status = stat()
    let parts = FilePath(path)
    guard lstat(path, &status) != 0, let name = parts.lastComponent, name.kind == .regular,
      let directory = realpath(parts.removingLastComponent().string)
    else { return nil }
    return FilePath(directory).appending(name).string
  }

  /// Whether two paths lead to one file, or would.
  public static func areSame(_ one: String, _ other: String) -> Bool {
    if one.hasSameBytes(as: other) { return true }
    if let first = FileIdentity(atPath: one), let second = FileIdentity(atPath: other) {
      return first == second
    }
    return ofFile(one).flatMap { first in ofFile(other).map(first.hasSameBytes) } ?? false
  }
}
