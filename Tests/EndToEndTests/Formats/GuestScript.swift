import Qcow2
import TestOracles

/// What a guest writes to an image of a format, so that all its kinds of clusters are there.
struct GuestScript {
  private let image: FormattedImage
  private let size: Int

  /// For an image whose disk has the format's size.
  init(_ image: FormattedImage) {
    self.image = image
    size = image.format.diskSize
  }

  private var sixteenth: Int { size / 16 }

  /// Fills some of the disk.
  func first() throws {
    let part = sixteenth
    try image.io(["write -P 1 0 \(3 * part)", "write -P 4 \(9 * part + 1234) 5000"])
    switch image.format.kind {
    case .zlib, .zstd: try writeCompressed()
    case .zeros:
      try image.io([
        "write -z -u \(4 * part) \(part)", "write -P 3 \(5 * part) \(2 * part)",
        "write -z \(5 * part) \(part)",
      ])
    default: break
    }
  }

  /// Overwrites some of it, as far as it goes through old clusters' middle.
  func second() throws {
    let part = sixteenth
    try image.io([
      "write -P 5 \(part / 2) \(part)", "write -P 6 \(10 * part) \(2 * part)",
      "write -z \(2 * part) \(part / 2)", "discard 0 \(part / 4)",
      "write -P 7 \(13 * part + 700) 1500", "write -P 8 \(9 * part) 2000",
    ])
  }

  /// Compressed clusters next to each other: several share a host cluster, and where the counts allow
  /// it, some are so long that they reach into the next one. QEMU compresses into holes only.
  private func writeCompressed() throws {
    let cluster = image.format.clusterSize
    let start = (4 * sixteenth + cluster - 1) / cluster * cluster
    let count = max(1, min(image.format.compressedClustersAtOnce, 2 * sixteenth / cluster))
    var commands = ["write -c -P 2 \(start) \(count * cluster)"]
    if image.format.refcountBits >= 8 {
      let pattern = image.path + ".pattern"
      try Self.writePattern(pattern, clusterSize: cluster)
      commands.append("write -c -s \(pattern) \(start + count * cluster) \(count * cluster)")
    }
    try image.io(commands)
  }

  /// A file of one cluster for qemu-io to write, of which two fifths cannot be compressed.
  static func writePattern(_ path: String, clusterSize: Int) throws {
    var generator = SeededGenerator(seed: 7)
    let noise = generator.bytes(clusterSize * 2 / 5)
    let zeros = [UInt8](repeating: 0, count: clusterSize - noise.count)
    try PosixFile(creating: path).write(noise + zeros, at: 0)
  }
}
