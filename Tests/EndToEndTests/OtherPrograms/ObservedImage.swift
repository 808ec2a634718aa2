import TestOracles

/// All that QEMU's programs see of an image that does not depend on where its clusters lie.
struct ObservedImage {
  /// A state of the disk.
  struct Snapshot {
    let vmStateSize: Int64
    let content: GuestContent
  }

  /// Sizes, version, features and the backing file.
  let facts: [String: JSONValue]
  /// The active state.
  let active: GuestContent
  /// The snapshots by name.
  let snapshots: [String: Snapshot]
  /// Granularity, flags and the digest of the bits, by name.
  let bitmaps: [String: String]
  /// The exit status of `qemu-img check`, and what it said.
  let check: CommandResult

  /// Looks at an image; nothing is written.
  ///
  /// - Parameters:
  ///   - release: the QEMU that looks.
  ///   - directory: where `disk.qcow2` lies.
  /// - Throws: what QEMU said, or that two snapshots have one name.
  init(by release: QemuRelease, in directory: String) throws {
    let path = "\(directory)/disk.qcow2"
    let text = try release.run(["qemu-img", "info", "-f", "qcow2", "--output=json", path]).text
    let info = try JSONValue(parsing: text)
    let data = info["format-specific"]?["data"]
    var facts: [String: JSONValue] = [:]
    for name in ["virtual-size", "cluster-size", "dirty-flag", "backing-filename"] {
      facts[name] = info[name]
    }
    for name in ["compat", "lazy-refcounts", "refcount-bits", "corrupt", "extended-l2"] {
      facts[name] = data?[name]
    }
    self.facts = facts
    let content = { try Self.content(of: $0, by: release, in: directory) }
    active = try content(nil)
    var snapshots: [String: Snapshot] = [:]
    for entry in info["snapshots"]?.array ?? [] {
      guard let name = entry["name"]?.string, snapshots[name] == nil else {
        throw OracleError("\(path): two snapshots of one name: \(text)")
      }
      snapshots[name] = Snapshot(
        vmStateSize: entry["vm-state-size"]?.int ?? -1, content: try content(name))
    }
    self.snapshots = snapshots
    bitmaps = try Self.bitmaps(data?["bitmaps"]?.array ?? [], of: path)
    check = try release.attempt(["qemu-img", "check", "-f", "qcow2", path])
  }

  /// The content of one state.
  ///
  /// - Parameters:
  ///   - tag: of a snapshot; nil for the active state.
  ///   - release: the QEMU that reads.
  ///   - directory: where `disk.qcow2` lies.
  /// - Returns: the whole disk.
  /// - Throws: what QEMU said.
  static func content(
    of tag: String? = nil, by release: QemuRelease, in directory: String
  ) throws -> GuestContent {
    let choice = tag.map { ["-l", "snapshot.name=\($0)"] } ?? []
    let words = ["convert", "-f", "qcow2", "-O", "raw"] + choice + ["disk.qcow2", "content.raw"]
    try release.run(["qemu-img"] + words, in: directory)
    return try GuestContent(ofFile: "\(directory)/content.raw")
  }

  /// The digests come from QEMU's memory; it reads no bits of bitmaps that were not closed well.
  private static func bitmaps(
    _ described: [JSONValue], of path: String
  ) throws -> [String: String] {
    guard !described.isEmpty else { return [:] }
    let daemon = try QemuStorageDaemon([QemuVM.Disk("disk0", path)], isReadOnly: true)
    var bitmaps: [String: String] = [:]
    for bitmap in described {
      let name = bitmap["name"]?.string ?? ""
      let flags = bitmap["flags"]?.array?.compactMap(\.string).sorted() ?? []
      var text = "granularity \(bitmap["granularity"]?.int ?? -1), \(flags)"
      if !flags.contains("in-use") {
        let digest = try daemon.qmp.execute(
          "x-debug-block-dirty-bitmap-sha256",
          "{\"node\": \"disk0\", \"name\": \(JSONValue.quoted(name))}")
        text += ", \(digest["sha256"]?.string ?? "")"
      }
      bitmaps[name] = text
    }
    try daemon.quit()
    return bitmaps
  }

  /// What is not as on another image; empty if nothing.
  func differences(from twin: ObservedImage) -> [String] {
    var differences: [String] = []
    if facts != twin.facts { differences.append("\(facts), not \(twin.facts)") }
    if active != twin.active { differences.append("the active state is another") }
    differences += snapshotDifferences(from: twin)
    if bitmaps != twin.bitmaps { differences.append("bitmaps \(bitmaps), not \(twin.bitmaps)") }
    if check.status != twin.check.status {
      differences.append("\(check.failure()), not \(twin.check.failure())")
    }
    return differences
  }

  /// What is not as on another image, of its snapshots; empty if nothing.
  func snapshotDifferences(from other: ObservedImage) -> [String] {
    guard snapshots.keys.sorted() == other.snapshots.keys.sorted() else {
      return ["snapshots \(snapshots.keys.sorted()), not \(other.snapshots.keys.sorted())"]
    }
    return losses(since: other)
  }

  /// Snapshots of an earlier look that are gone or have changed; empty if none.
  func losses(since earlier: ObservedImage) -> [String] {
    earlier.snapshots.keys.sorted().compactMap { name in
      guard let now = snapshots[name], let then = earlier.snapshots[name] else {
        return "the snapshot '\(name)' is gone"
      }
      let isSame = now.vmStateSize == then.vmStateSize && now.content == then.content
      return isSame ? nil : "the snapshot '\(name)' is another"
    }
  }
}
