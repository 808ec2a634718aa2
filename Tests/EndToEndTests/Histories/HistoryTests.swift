import Testing

/// Images that snapjob, qemu-img and qemu-io change in turn, by chance.
@Suite("Histories") struct HistoryTests {
  /// A history's format, two for each kind.
  private static func format(seed: Int) -> ImageFormat {
    let kind = ImageFormat.Kind.allCases[seed % ImageFormat.Kind.allCases.count]
    let isFirst = seed / ImageFormat.Kind.allCases.count % 2 == 0
    switch kind {
    case .plain, .backing, .luks, .aes:
      return isFirst
        ? ImageFormat(clusterSize: 4096, refcountBits: 4, kind: kind)
        : ImageFormat(version: 2, clusterSize: 65536, kind: kind)
    case .zlib:
      return isFirst
        ? ImageFormat(clusterSize: 4096, refcountBits: 8, kind: kind)
        : ImageFormat(version: 2, clusterSize: 2048, kind: kind)
    case .zstd:
      return ImageFormat(clusterSize: isFirst ? 65536 : 2048, refcountBits: 64, kind: kind)
    case .extendedL2:
      return ImageFormat(clusterSize: isFirst ? 16384 : 65536, kind: kind)
    case .zeros, .bitmaps, .lazyRefcounts:
      return ImageFormat(
        clusterSize: isFirst ? 4096 : 512, refcountBits: isFirst ? 32 : 16, kind: kind)
    }
  }

  @Test(
    "after each of 100 operations both checks are clean and every state is as it was made",
    arguments: 0..<20)
  func history(seed: Int) throws {
    let format = Self.format(seed: seed)
    var history = try History(seed: UInt64(seed), format: format)
    do {
      for _ in 0..<100 { try history.advance() }
    } catch {
      Issue.record("seed \(seed), \(format): \(error)\nafter:\n\(history.story)")
    }
  }
}
