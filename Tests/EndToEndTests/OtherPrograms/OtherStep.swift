import TestOracles

/// What another program does to an image.
enum OtherStep: String, Sendable, CaseIterable {
  case checkLeaks, checkAll
  case snapshotCreate, snapshotApply, snapshotDelete
  /// Of the image into its backing file.
  case commit
  /// Of an overlay into the image.
  case commitInto
  case rebase, rebaseUnsafely, rebaseToNone
  case grow, shrink
  case amendToOld, amendToNew, amendThereAndBack, lazyOn, lazyOff
  case bitmapAdd, bitmapMerge, bitmapRemove
  case convert
  case write, writeZeros, discard
  /// A program that dies with the image open, and `check -r` after it.
  case crash

  /// Whether it is possible at all on images of this format.
  func isPossible(on format: TwinFormat) -> Bool {
    switch self {
    case .commit, .rebase, .rebaseToNone: format.hasBackingFile
    case .bitmapAdd: !format.isVersion2
    case .bitmapMerge, .bitmapRemove: format.hasBitmaps
    default: true
    }
  }

  /// Whether every snapshot must be there with the same content afterwards.
  ///
  /// Not where the step removes one, or changes the backing file under them.
  var keepsSnapshots: Bool {
    switch self {
    case .snapshotDelete, .commit, .rebase, .rebaseUnsafely, .rebaseToNone: false
    default: true
    }
  }

  /// What to run, in the directory of `disk.qcow2`; the statuses that are no failure are QEMU's matter.
  private var commands: [[String]] {
    let disk = "disk.qcow2"
    let img = { (words: String...) in [["qemu-img"] + words + [disk]] }
    let io = { (command: String) in [["qemu-io", "-f", "qcow2", "-c", command, disk]] }
    switch self {
    case .checkLeaks: return img("check", "-q", "-f", "qcow2", "-r", "leaks")
    case .checkAll: return img("check", "-q", "-f", "qcow2", "-r", "all")
    case .snapshotCreate: return img("snapshot", "-c", "q")
    case .snapshotApply: return img("snapshot", "-a", "a")
    case .snapshotDelete: return img("snapshot", "-d", "a")
    case .commit: return img("commit", "-q", "-f", "qcow2")
    case .commitInto:
      return [
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", "over.qcow2"],
        [
          "qemu-io", "-f", "qcow2", "-c", "write -P 9 0 64k", "-c", "write -P 9 1600k 64k",
          "over.qcow2",
        ],
        ["qemu-img", "commit", "-q", "-f", "qcow2", "over.qcow2"],
      ]
    case .rebase: return img("rebase", "-f", "qcow2", "-b", "other.qcow2", "-F", "qcow2")
    case .rebaseUnsafely:
      return img("rebase", "-u", "-f", "qcow2", "-b", "other.qcow2", "-F", "qcow2")
    case .rebaseToNone: return img("rebase", "-f", "qcow2", "-b", "")
    case .grow: return [["qemu-img", "resize", "-q", "-f", "qcow2", disk, "4M"]]
    case .shrink: return [["qemu-img", "resize", "-q", "-f", "qcow2", "--shrink", disk, "1M"]]
    case .amendToOld: return img("amend", "-f", "qcow2", "-o", "compat=0.10")
    case .amendToNew: return img("amend", "-f", "qcow2", "-o", "compat=1.1")
    case .amendThereAndBack: return Self.amendToOld.commands + Self.amendToNew.commands
    case .lazyOn: return img("amend", "-f", "qcow2", "-o", "lazy_refcounts=on")
    case .lazyOff: return img("amend", "-f", "qcow2", "-o", "lazy_refcounts=off")
    case .bitmapAdd: return [["qemu-img", "bitmap", "--add", disk, "added"]]
    case .bitmapMerge: return [["qemu-img", "bitmap", "--merge", "daily", disk, "weekly"]]
    case .bitmapRemove: return [["qemu-img", "bitmap", "--remove", disk, "daily"]]
    case .convert: return img("convert", "-n", "-f", "raw", "-O", "qcow2", "source.raw")
    case .write: return io("write -P 7 200000 500000")
    case .writeZeros: return io("write -z -u 64k 256k")
    case .discard: return [["qemu-io", "-f", "qcow2", "-d", "unmap", "-c", "discard 0 384k", disk]]
    case .crash:
      return [
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 600k", "-c", "flush", "-c", "abort", disk]
      ] + Self.checkAll.commands
    }
  }

  /// Does it.
  ///
  /// - Parameters:
  ///   - release: the QEMU.
  ///   - directory: where `disk.qcow2` lies.
  /// - Returns: exit statuses and messages, without the numbers that differ from run to run.
  /// - Throws: only if it cannot be run.
  func run(by release: QemuRelease, in directory: String) throws -> [String] {
    try commands.flatMap { command in
      let result = try release.attempt(command, in: directory)
      let messages = result.standardError.split(separator: "\n").filter { $0.contains("qemu-") }
      return ["\(result.status)"] + messages.map { $0.filter { !$0.isNumber } }
    }
  }
}
