import ArgumentParser

/// A bitmap of a disk.
struct BitmapOptions: ParsableArguments, Sendable {
  @Argument(help: "A node or a file.", completion: .file()) var node: String
  @Argument(help: "The bitmap.") var name: String
}
