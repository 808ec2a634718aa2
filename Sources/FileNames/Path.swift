/// Paths are looked at byte by byte, as Linux does. To Swift a slash and the combining mark behind it are one
/// character, which is no slash, and two spellings of an accented letter are equal.
extension String {
  private static var slash: UInt8 { UInt8(ascii: "/") }

  /// Whether a path counts from the root.
  public var isAbsolutePath: Bool { utf8.first == Self.slash }

  /// Whether there is a slash in it, so that it is more than a name.
  public var hasSlash: Bool { utf8.contains(Self.slash) }

  /// A path counted from the root, without `.` and doubled slashes; `..` stays, because what it leads to depends on
  /// symbolic links.
  ///
  /// - Parameter directory: where a relative path starts; absolute.
  /// - Returns: the path.
  public func absolutePath(in directory: String) -> String {
    let whole = isAbsolutePath ? self : directory + "/" + self
    return "/" + whole.pathNames.filter { $0 != "." }.joined(separator: "/")
  }

  /// The names on a path, without empty ones.
  public var pathNames: [String] {
    utf8.split(separator: Self.slash).map { String(Substring($0)) }
  }

  /// Directory and last name of a path; `.` for the directory of a name alone.
  public var pathParts: (directory: String, name: String) {
    guard let index = utf8.lastIndex(of: Self.slash) else { return (".", self) }
    let name = String(Substring(utf8[utf8.index(after: index)...]))
    return (index == utf8.startIndex ? "/" : String(Substring(utf8[..<index])), name)
  }

  /// Whether two names are the same, byte for byte: of files, and of all that QEMU and the catalog compare so, as
  /// machines, snapshots and bitmaps.
  public func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

  /// What follows a prefix, byte for byte; nil if the text does not begin with it. A mark behind a colon belongs to
  /// what follows.
  public func suffix(after prefix: String) -> String? {
    utf8.starts(with: prefix.utf8) ? String(Substring(utf8.dropFirst(prefix.utf8.count))) : nil
  }

  /// Whether a path is below a directory; both absolute and without symbolic links.
  public func isPath(below directory: String) -> Bool {
    directory == "/"
      || utf8.starts(with: directory.utf8)
        && utf8.dropFirst(directory.utf8.count).first == Self.slash
  }
}
