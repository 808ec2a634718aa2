import ArgumentParser
import Qcow2

/// Writes and digests guest content, for the demonstration and for tests; not a user's tool.
@main
struct DemoDisk: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a pattern into the guest's disk, or print the SHA-256 of what the guest sees.",
    subcommands: [Write.self, Digest.self])
}

/// Writes pseudo-random bytes through the engine: shadowed and published like any change.
struct Write: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write pseudo-random bytes into the active state.")

  @Argument(help: "The image.") var file: String
  @Option(help: "Seed of the bytes.") var seed: UInt64
  @Option(help: "Where to begin, in bytes.") var offset: UInt64 = 0
  @Option(help: "How many bytes.") var length: Int = 1 << 20

  func validate() throws {
    guard (0...1 << 30).contains(length) else {
      throw ValidationError("--length is 0 to 1073741824")
    }
  }

  func run() throws {
    let image = try Image.open(file, for: .change)
    var draft = try ImageDraft(image)
    var generator = SplitMix(state: seed)
    var bytes = [UInt8]()
    bytes.reserveCapacity(length + 8)
    while bytes.count < length {
      withUnsafeBytes(of: generator.next().bigEndian) { bytes.append(contentsOf: $0) }
    }
    try draft.write(Array(bytes.prefix(length)), at: offset)
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
  }
}

/// Prints the digest of the active state.
struct Digest: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the SHA-256 of the guest's disk, of the active state or of a snapshot.")

  @Argument(help: "The image.") var file: String
  @Option(help: "The snapshot's tag; without it, the active state.") var tag: String?

  func run() throws {
    let image = try Image.open(file, for: .read)
    var reader: GuestReader
    if let tag {
      guard let position = image.snapshots.firstIndex(where: { $0.name == tag }) else {
        throw ValidationError("\(file) has no snapshot '\(tag)'")
      }
      reader = try GuestReader(image, snapshot: position)
    } else {
      reader = try GuestReader(image)
    }
    print("\(try reader.digest())  \(file)")
  }
}

/// A small generator that gives the same bytes everywhere (SplitMix64).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
