/// One kind of image.
enum Format: String, Sendable, CaseIterable {
  case version3, version2, blockDevice, clusters512, clusters64K, clusters2M, bitmaps, lazy
  case tableGrowth

  /// For `qemu-img create -o`.
  var options: [String] {
    switch self {
    case .version3, .blockDevice, .bitmaps: ["cluster_size=4096"]
    case .version2: ["cluster_size=4096", "compat=0.10"]
    case .clusters512: ["cluster_size=512"]
    case .clusters64K: ["cluster_size=65536"]
    case .clusters2M: ["cluster_size=2M"]
    case .lazy: ["cluster_size=4096", "lazy_refcounts=on"]
    case .tableGrowth: ["cluster_size=512", "refcount_bits=64"]
    }
  }

  /// Bytes of the guest's disk.
  var diskSize: Int {
    switch self {
    case .version3, .version2, .blockDevice, .bitmaps, .lazy: 256 << 10
    case .clusters512: 128 << 10
    case .clusters64K: 1 << 20
    case .clusters2M: 16 << 20
    case .tableGrowth: 2 << 20
    }
  }

  /// Commands of qemu-io that fill a disk before its first snapshot.
  func firstWrites(disk: Int) -> [String] {
    let size = diskSize
    switch self {
    // Clusters that are in use, but cost no memory here.
    case .tableGrowth: return ["write -P 0 0 1930k", "write -P \(0x10 + disk) 0 4k"]
    case .clusters2M:
      return ["write -P \(0x10 + disk) 0 12k", "write -P \(0x40 + disk) 8M 4k"]
    default: break
    }
    return [
      "write -P \(0x10 + disk) 0 \(size / 8)", "write -P \(0x40 + disk) \(size / 2) \(size / 16)",
    ]
  }

  /// Commands of qemu-io that change it afterwards.
  func laterWrites(disk: Int) -> [String] {
    let size = diskSize
    switch self {
    case .tableGrowth: return ["write -P \(0x20 + disk) 64k 2k"]
    case .clusters2M:
      return ["write -P \(0x20 + disk) 4k 12k", "write -P \(0x21 + disk) 4M 8k"]
    default: break
    }
    return ["write -P \(0x20 + disk) \(size / 16) \(size / 8)"]
  }

  /// The bytes to which other programs write; nothing else does.
  var foreignRange: Range<Int> { diskSize - 4096..<diskSize }

  /// Bytes of the block device that an image lies on; nil for a file.
  var deviceSize: Int? { self == .blockDevice ? 2 << 20 : nil }

  /// Whether there are two bitmaps on each disk from the start.
  var hasBitmaps: Bool { self == .bitmaps }
}
