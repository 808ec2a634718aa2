import Testing

/// One way to lay out a qcow2 image.
struct ImageFormat: Sendable, Hashable, CustomTestStringConvertible {
  /// What is special about an image's clusters.
  enum Kind: String, Sendable, CaseIterable {
    /// Written clusters and holes.
    case plain
    /// Deflated clusters among others.
    case zlib
    /// Clusters compressed by Zstandard among others.
    case zstd
    /// Clusters with the zero flag, with and without a host cluster.
    case zeros
    /// What is not written comes from another file.
    case backing
    /// L2 entries of 16 bytes, with subclusters.
    case extendedL2
    /// Encrypted by LUKS.
    case luks
    /// Encrypted in the old way.
    case aes
    /// With two persistent dirty bitmaps.
    case bitmaps
    /// Refcounts may be written late.
    case lazyRefcounts
  }

  /// 2 or 3.
  var version = 3
  /// In bytes.
  var clusterSize = 65536
  /// 1 to 64.
  var refcountBits = 16
  var kind = Kind.plain

  /// Cluster sizes from the smallest to the largest.
  static let clusterSizes = [512, 2048, 4096, 16384, 65536, 524_288, 2_097_152]
  static let refcountWidths = [1, 2, 4, 8, 16, 32, 64]

  var testDescription: String {
    "v\(version), \(kind), \(clusterSize)-byte clusters, \(refcountBits)-bit refcounts"
  }

  /// Whether there are such images.
  var isPossible: Bool {
    if version == 2 {
      guard refcountBits == 16 else { return false }
      switch kind {
      case .plain, .zlib, .backing, .luks, .aes: return true
      case .zstd, .zeros, .extendedL2, .bitmaps, .lazyRefcounts: return false
      }
    }
    return kind != .extendedL2 || clusterSize >= 16384
  }

  /// For `qemu-img create -o`.
  var options: [String] {
    var options = [
      "compat=\(version == 2 ? "0.10" : "1.1")", "cluster_size=\(clusterSize)",
      "refcount_bits=\(refcountBits)",
    ]
    switch kind {
    case .plain, .zlib, .zeros, .backing, .bitmaps: break
    case .zstd: options.append("compression_type=zstd")
    case .extendedL2: options.append("extended_l2=on")
    case .luks:
      options += ["encrypt.format=luks", "encrypt.key-secret=key", "encrypt.iter-time=10"]
    case .aes: options += ["encrypt.format=aes", "encrypt.key-secret=key"]
    case .lazyRefcounts: options.append("lazy_refcounts=on")
    }
    return options
  }

  /// The disk's size in bytes: some clusters at least, and several L2 tables of small clusters.
  var diskSize: Int { max(512 << 10, 8 * clusterSize) }

  var isEncrypted: Bool { kind == .luks || kind == .aes }

  /// Whether snapjob reads all content: it has no keys, and opens no backing file.
  var isReadable: Bool { !isEncrypted && kind != .backing }

  /// How many compressed clusters may lie in one host cluster, so that three states can share them.
  var compressedClustersAtOnce: Int {
    switch refcountBits {
    case 1, 2: 1
    case 4: 4
    default: 16
    }
  }
}
