/// `qemu-img`, command by command.
public enum QemuImg {
  /// What `qemu-img check` found.
  public struct Check: Sendable {
    /// 0 clean, 1 could not check, 2 corrupt, 3 leaked clusters, 63 not supported.
    public let status: Int32
    /// All it said, for messages.
    public let text: String
    /// Whether nothing at all is wrong.
    public var isClean: Bool { status == 0 }
  }

  /// Makes an image.
  ///
  /// - Parameters:
  ///   - path: of the new file; an old one is overwritten.
  ///   - size: in qemu's words: `10G`, `65536`.
  ///   - options: as for `-o`: `cluster_size=4096`, `compat=0.10`.
  ///   - backingFile: the qcow2 backing file, if it shall have one.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func create(
    _ path: String, size: String, options: [String] = [], backingFile: String? = nil
  ) throws(OracleError) {
    var arguments = ["create", "-q", "-f", "qcow2"]
    if !options.isEmpty { arguments += ["-o", options.joined(separator: ",")] }
    if let backingFile { arguments += ["-b", backingFile, "-F", "qcow2"] }
    try Command.run("qemu-img", arguments + [path, size])
  }

  /// Checks an image; changes nothing.
  ///
  /// - Parameter path: of the image.
  /// - Returns: what was found, or why it could not be checked.
  /// - Throws: ``OracleError`` only if qemu-img cannot be run.
  public static func check(_ path: String) throws(OracleError) -> Check {
    let result = try Command.attempt("qemu-img", ["check", "-f", "qcow2", path])
    return Check(status: result.status, text: result.failure().description)
  }

  /// Describes an image (`ImageInfo` of QAPI).
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - forceShare: also while somebody writes it.
  /// - Returns: the parsed description.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func info(_ path: String, forceShare: Bool = false) throws(OracleError) -> JSONValue
  {
    let flags = forceShare ? ["-U"] : []
    let arguments = ["info", "-f", "qcow2", "--output=json"] + flags + [path]
    return try JSONValue(parsing: Command.run("qemu-img", arguments).text)
  }

  /// Writes the guest's content to a raw file.
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - target: the raw file.
  ///   - snapshot: the id or name of a snapshot; nil for the active state.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func convert(
    _ path: String, toRaw target: String, snapshot: String? = nil
  ) throws(OracleError) {
    let flags = snapshot.map { ["-l", $0] } ?? []
    try Command.run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw"] + flags + [path, target])
  }

  /// The SHA-256 of the guest's content.
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - snapshot: the id or name of a snapshot; nil for the active state.
  /// - Returns: 64 hexadecimal digits.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func contentDigest(
    _ path: String, snapshot: String? = nil
  ) throws(OracleError) -> String {
    let directory = try TemporaryDirectory()
    let raw = directory.path("raw")
    try convert(path, toRaw: raw, snapshot: snapshot)
    return try Command.sha256(ofFile: raw)
  }

  /// Makes a snapshot of the active state (`snapshot -c`).
  ///
  /// - Parameters:
  ///   - name: the snapshot's name.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func createSnapshot(_ name: String, in path: String) throws(OracleError) {
    try Command.run("qemu-img", ["snapshot", "-c", name, path])
  }

  /// Goes back to a snapshot (`snapshot -a`).
  ///
  /// - Parameters:
  ///   - name: the snapshot's name or id.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func applySnapshot(_ name: String, in path: String) throws(OracleError) {
    try Command.run("qemu-img", ["snapshot", "-a", name, path])
  }

  /// Removes a snapshot (`snapshot -d`).
  ///
  /// - Parameters:
  ///   - name: the snapshot's name or id.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func deleteSnapshot(_ name: String, in path: String) throws(OracleError) {
    try Command.run("qemu-img", ["snapshot", "-d", name, path])
  }

  /// The table for people (`snapshot -l`); empty without snapshots.
  ///
  /// - Parameter path: of the image.
  /// - Returns: the table as printed.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func snapshotTable(_ path: String) throws(OracleError) -> String {
    try Command.run("qemu-img", ["snapshot", "-l", path]).text
  }

  /// The names of an image's snapshots in the table's order.
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - forceShare: also while somebody writes it.
  /// - Returns: the names; empty without snapshots.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func snapshotNames(
    _ path: String, forceShare: Bool = false
  ) throws(OracleError) -> [String] {
    try info(path, forceShare: forceShare)["snapshots"]?.array?.compactMap { $0["name"]?.string }
      ?? []
  }

  /// Whether two images have the same guest content (`compare`).
  ///
  /// - Parameters:
  ///   - first: an image.
  ///   - second: another.
  ///   - secondFormat: the format of the other.
  /// - Returns: false if they differ in content or size.
  /// - Throws: ``OracleError`` if one of them cannot be read.
  public static func areEqual(
    _ first: String, _ second: String, secondFormat: String = "qcow2"
  ) throws(OracleError) -> Bool {
    let result = try Command.attempt(
      "qemu-img", ["compare", "-s", "-f", "qcow2", "-F", secondFormat, first, second])
    switch result.status {
    case 0: return true
    case 1: return false
    default: throw result.failure()
    }
  }

  /// Where the guest's content lies (`map`): a list of objects with `start`, `length`, `zero`,
  /// `data` and `offset`.
  ///
  /// - Parameter path: of the image.
  /// - Returns: the parsed list.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func map(_ path: String) throws(OracleError) -> JSONValue {
    let arguments = ["map", "-f", "qcow2", "--output=json", path]
    return try JSONValue(parsing: Command.run("qemu-img", arguments).text)
  }

  /// Changes the disk's size.
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - size: the new size in qemu's words.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func resize(_ path: String, to size: String) throws(OracleError) {
    try Command.run("qemu-img", ["resize", "-q", "-f", "qcow2", "--shrink", path, size])
  }
}
