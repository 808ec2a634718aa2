import TestOracles
import Testing

/// What snapjob has done to an image before other programs come, and how QEMU alone brings a twin there.
enum Touch: String, Sendable, CaseIterable, CustomTestStringConvertible {
  case save, load, delete, replace, bitmapAdd

  var testDescription: String { "after \(rawValue)" }

  /// Whether images of this format can be touched so.
  func isPossible(on format: TwinFormat) -> Bool { self != .bitmapAdd || !format.isVersion2 }

  /// Does it with snapjob.
  ///
  /// - Parameters:
  ///   - program: whose directory holds the image.
  ///   - image: its name in the program's directory.
  /// - Throws: what snapjob said.
  func apply(by program: Program, to image: String) throws {
    switch self {
    case .save: try program.run("save", "--tag", "t", "--file", image)
    case .load: try program.run("load", "--tag", "a", "--yes", "--file", image)
    case .delete: try program.run("delete", "--tag", "b", "--yes", "--file", image)
    case .replace: try program.run("save", "--tag", "a", "--replace", "--file", image)
    case .bitmapAdd:
      try program.run("node", "add", "disk0", image)
      try program.run("bitmap", "add", "disk0", "late")
    }
  }

  /// Does the same with QEMU alone.
  ///
  /// - Parameters:
  ///   - release: the QEMU.
  ///   - format: the image's.
  ///   - directory: where `disk.qcow2` lies.
  /// - Throws: what QEMU said.
  func apply(by release: QemuRelease, to format: TwinFormat, in directory: String) throws {
    let img = { (words: [String]) in _ = try release.run(["qemu-img"] + words, in: directory) }
    switch self {
    case .save: try img(["snapshot", "-c", "t", "disk.qcow2"])
    case .load where format.hasBitmaps: try loadBesideBitmaps(img, in: directory)
    case .load: try img(["snapshot", "-a", "a", "disk.qcow2"])
    case .delete: try img(["snapshot", "-d", "b", "disk.qcow2"])
    case .replace:
      try img(["snapshot", "-d", "a", "disk.qcow2"])
      try img(["snapshot", "-c", "a", "disk.qcow2"])
    case .bitmapAdd: try img(["bitmap", "--add", "disk.qcow2", "late"])
    }
  }

  /// QEMU goes back to a snapshot only where there are no bitmaps: they leave and come back. What the
  /// load changes, the recording one has recorded before: its bits stay.
  private func loadBesideBitmaps(_ img: ([String]) throws -> Void, in directory: String) throws {
    try Command.run("cp", ["disk.qcow2", "bits.qcow2"], directory: directory)
    for name in ["daily", "weekly"] { try img(["bitmap", "--remove", "disk.qcow2", name]) }
    try img(["snapshot", "-a", "a", "disk.qcow2"])
    try img(["bitmap", "--add", "disk.qcow2", "daily"])
    try img(["bitmap", "--add", "--disable", "disk.qcow2", "weekly"])
    for name in ["daily", "weekly"] {
      try img(["bitmap", "--merge", name, "-b", "bits.qcow2", "-F", "qcow2", "disk.qcow2", name])
    }
    try Command.run("rm", ["bits.qcow2"], directory: directory)
  }
}
