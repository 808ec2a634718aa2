/// Dirty bitmaps, as qemu's programs see them.
public enum QemuBitmaps {
  /// Runs commands on the bitmaps of an image's node, which is called `disk0`, and closes it in order: what
  /// QEMU keeps goes into the image.
  ///
  /// - Parameters:
  ///   - commands: names and arguments as JSON objects.
  ///   - path: of the image.
  /// - Returns: the replies.
  /// - Throws: ``OracleError`` with the first refusal.
  @discardableResult public static func run(
    _ commands: [(name: String, arguments: String)], on path: String
  ) throws(OracleError) -> [JSONValue] {
    let daemon = try QemuStorageDaemon([QemuVM.Disk("disk0", path)])
    var replies: [JSONValue] = []
    for command in commands {
      replies.append(try daemon.qmp.execute(command.name, command.arguments))
    }
    try daemon.quit()
    return replies
  }

  /// The bitmaps of an image, by name.
  ///
  /// - Parameter path: of the image, which is opened for reading only.
  /// - Returns: QEMU's description of each (`BlockDirtyInfo`), and the SHA-256 of its bits in QEMU's memory.
  /// - Throws: ``OracleError`` with what QEMU said.
  public static func look(
    at path: String
  ) throws(OracleError) -> (list: [String: JSONValue], digests: [String: String]) {
    let daemon = try QemuStorageDaemon([QemuVM.Disk("disk0", path)], isReadOnly: true)
    let list = try list(daemon)
    var digests: [String: String] = [:]
    for name in list.keys {
      digests[name] = try daemon.qmp.execute(
        "x-debug-block-dirty-bitmap-sha256",
        "{\"node\": \"disk0\", \"name\": \(JSONValue.quoted(name))}")["sha256"]?.string
    }
    try daemon.quit()
    return (list, digests)
  }

  /// The SHA-256 of the bits of each bitmap of an image, by name.
  public static func digests(_ path: String) throws(OracleError) -> [String: String] {
    try look(at: path).digests
  }

  /// The bitmaps of an image, by name, as `query-named-block-nodes` tells of them.
  public static func list(_ path: String) throws(OracleError) -> [String: JSONValue] {
    try look(at: path).list
  }

  private static func list(
    _ daemon: QemuStorageDaemon
  ) throws(OracleError) -> [String: JSONValue] {
    let nodes = try daemon.qmp.execute("query-named-block-nodes", "{\"flat\": true}").array ?? []
    let node = nodes.first { $0["node-name"]?.string == "disk0" }
    var list: [String: JSONValue] = [:]
    for bitmap in node?["dirty-bitmaps"]?.array ?? [] {
      if let name = bitmap["name"]?.string { list[name] = bitmap }
    }
    return list
  }

  /// Adds a bitmap (`qemu-img bitmap --add`).
  ///
  /// - Parameters:
  ///   - name: its name.
  ///   - path: of the image.
  ///   - granularity: in bytes; nil for QEMU's default.
  ///   - isEnabled: whether it records.
  /// - Throws: ``OracleError`` with what qemu-img said.
  public static func add(
    _ name: String, to path: String, granularity: Int? = nil, isEnabled: Bool = true
  ) throws(OracleError) {
    var arguments = ["bitmap", "--add", "-f", "qcow2"]
    if let granularity { arguments += ["-g", "\(granularity)"] }
    if !isEnabled { arguments.append("--disable") }
    try Command.run("qemu-img", arguments + [path, name])
  }
}
