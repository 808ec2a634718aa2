import Qcow2
import TestOracles

/// What a fenced image means: a copy of it with the header of before, built out of the fence.
struct UnfencedImage {
  private let directory: TemporaryDirectory
  /// The copy.
  let image: Image

  init(_ path: String) throws {
    directory = try TemporaryDirectory()
    let copy = directory.path("image.qcow2")
    try Command.run("cp", ["--sparse=always", path, copy])
    let file = try SectorFile(opening: copy, .write)
    try file.write(try file.unfenced())
    file.unlock()
    image = try Image.open(copy, for: .read)
  }

  /// Whether an image has a fence.
  static func isFenced(_ path: String) throws -> Bool {
    try SectorFile(opening: path, .peek).read()?.fenceMark != nil
  }
}
