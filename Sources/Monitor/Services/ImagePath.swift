import FoundationEssentials

/// Names of image files: plain paths, never looked into for protocols or formats.
public enum ImagePath {
  /// The path counted from the root, without `.` and doubled slashes.
  ///
  /// `..` stays: what it leads to depends on symbolic links.
  public static func absolute(_ path: String) -> String {
    let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    return "/" + whole.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
  }

  /// Whether something has this path.
  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
