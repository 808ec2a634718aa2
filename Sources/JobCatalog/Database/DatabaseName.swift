import FileNames

/// Paths as SQLite takes them.
enum DatabaseName {
  /// A path as SQLite opens it: as it is, or as a URI if it is no UTF-8, because a URI can spell each byte.
  ///
  /// - Parameter path: absolute.
  /// - Returns: what `sqlite3_open_v2` gets.
  static func of(_ path: String) -> String {
    guard path.hasBytesOfFileNames else { return path }
    return "file://"
      + path.fileNameBytes.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."):
          String(UnicodeScalar(byte))
        default: (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
        }
      }.joined()
  }
}
