import FileNames
import Glibc
public import Jobs

/// Names of image files: plain paths, never looked into for protocols or formats.
public enum ImagePath {
  /// The path counted from the root, without `.` and doubled slashes.
  ///
  /// `..` stays: what it leads to depends on symbolic links.
  ///
  /// - Throws: `JobError` (not found) for a relative path if the process's working directory cannot be told,
  ///   because it was removed, say.
  public static func absolute(_ path: String) throws(JobError) -> String {
    path.absolutePath(in: path.isAbsolutePath ? "/" : try workingDirectory(for: path))
  }

  private static func workingDirectory(for path: String) throws(JobError) -> String {
    guard let directory = getcwd() else {
      throw JobError(
        .notFound,
        "'\(path)' names nothing: the working directory cannot be told. Was it removed? Name files from "
          + "'/' on")
    }
    return directory
  }

  /// Whether something has this path.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
