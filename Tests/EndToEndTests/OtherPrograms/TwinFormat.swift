import TestOracles
import Testing

/// What is special about an image that other programs change.
enum TwinFormat: String, Sendable, CaseIterable, CustomTestStringConvertible {
  case version3
  case version2
  /// With a dirty bitmap that records and one that does not.
  case bitmaps
  /// Of small clusters, whose refcounts may be written late.
  case lazyRefcounts
  /// With bitmaps; what is not written comes from another file.
  case backing
  /// Of version 2 and small clusters; what is not written comes from another file.
  case version2Backing

  var testDescription: String { rawValue }

  var hasBitmaps: Bool { self == .bitmaps || self == .backing }
  var hasBackingFile: Bool { self == .backing || self == .version2Backing }
  var isVersion2: Bool { self == .version2 || self == .version2Backing }

  /// For `qemu-img create -o`.
  private var options: String {
    switch self {
    case .version3, .bitmaps, .backing: "compat=1.1"
    case .version2: "compat=0.10"
    case .lazyRefcounts: "compat=1.1,lazy_refcounts=on,cluster_size=4096"
    case .version2Backing: "compat=0.10,cluster_size=4096"
    }
  }

  /// Makes `disk.qcow2` and what belongs to it: two snapshots, `a` and `b`, and later writes. Beside it
  /// lie two possible backing files and a raw one.
  ///
  /// - Parameters:
  ///   - release: the QEMU that makes it.
  ///   - directory: where.
  /// - Throws: what QEMU said.
  func make(by release: QemuRelease, in directory: String) throws {
    for (base, byte) in [("base.qcow2", 0xbb), ("other.qcow2", 0xcc)] {
      try release.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "1536k"], in: directory)
      try release.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P \(byte) 0 1536k", base], in: directory)
    }
    try Command.run("sh", ["-c", Self.source], directory: directory)
    var create = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options]
    if hasBackingFile { create += ["-b", "base.qcow2", "-F", "qcow2"] }
    try release.run(create + ["disk.qcow2", "2M"], in: directory)
    if hasBitmaps {
      try release.run(["qemu-img", "bitmap", "--add", "disk.qcow2", "daily"], in: directory)
      try release.run(
        ["qemu-img", "bitmap", "--add", "--disable", "disk.qcow2", "weekly"], in: directory)
    }
    let write = { (commands: [String]) in
      let words = commands.flatMap { ["-c", $0] }
      try release.run(["qemu-io", "-f", "qcow2"] + words + ["disk.qcow2"], in: directory)
    }
    try write(["write -P 1 0 512k"])
    try release.run(["qemu-img", "snapshot", "-c", "a", "disk.qcow2"], in: directory)
    try write(["write -P 2 256k 512k"])
    try release.run(["qemu-img", "snapshot", "-c", "b", "disk.qcow2"], in: directory)
    try write(["write -P 3 1M 128k", "write -z 1280k 64k", "write -c -P 4 1792k 64k"])
  }

  /// Makes `source.raw`, the size of the disk, with holes.
  private static let source = """
    truncate -s 2M source.raw
    head -c 400000 /dev/zero | tr '\\0' '\\6' | \
      dd of=source.raw bs=64k seek=6 conv=notrunc status=none
    """
}
