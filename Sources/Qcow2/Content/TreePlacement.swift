/// Looks where the clusters of one state lie: inside the file, off the image's structures, and no two on
/// one host cluster, except compressed ones.
///
/// Entries that are not valid, and tables that cannot be read, are passed over; reading reports them.
struct TreePlacement {
  private let image: Image
  private let structures: ClusterUses
  /// What this state's guest clusters occupy.
  private var uses: ClusterUses
  /// What is wrong, by guest offsets; those of VM state lie behind the disk's.
  private(set) var problems = ContentProblems()

  private var geometry: ClusterGeometry { image.geometry }

  /// Starts with no clusters.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - structures: where its structures lie.
  /// - Throws: ``Qcow2Error`` (overLimit) if the file is too large.
  init(_ image: Image, structures: ClusterUses) throws(Qcow2Error) {
    self.image = image
    self.structures = structures
    uses = try ClusterUses(image)
  }

  /// Looks at everything that an L1 table leads to.
  mutating func check(l1: [UInt64]) {
    for (index, word) in l1.enumerated() where word & TableEntry.offsetMask != 0 {
      let table = HostOffset(word & TableEntry.offsetMask)
      guard let words = try? image.file.readWords(count: geometry.clusterSize / 8, at: table)
      else { continue }
      check(words, guest: UInt64(index) << UInt64(geometry.l2CoverageBits))
    }
  }

  /// Looks at the clusters of one L2 table, which stands for the disk from an offset on.
  private mutating func check(_ words: [UInt64], guest: UInt64) {
    for index in 0..<geometry.l2EntryCount where words[index * geometry.l2EntryWords] != 0 {
      guard let entry = try? L2Entry(index, of: words[...], image.header) else { continue }
      let start = guest + UInt64(index) << UInt64(geometry.clusterBits)
      if let problem = problem(with: entry) {
        problems.note(problem, start..<start + UInt64(geometry.clusterSize))
      }
    }
  }

  /// What is wrong with the place of an entry's cluster; nil if nothing is.
  private mutating func problem(with entry: L2Entry) -> String? {
    let (offset, byteCount, use): (HostOffset, Int, ClusterUse)
    switch ClusterMapping(entry.word, geometry) {
    case .unallocated, .zero(nil): return nil
    case .zero(let place?), .data(let place):
      (offset, byteCount, use) = (place, geometry.clusterSize, .guestCluster)
    case .compressed(let place, let count):
      (offset, byteCount, use) = (place, count, .compressedData)
    }
    guard let clusters = uses.clusters(at: offset, byteCount: UInt64(byteCount), geometry) else {
      return "its \(noun(use)) at host offset \(offset) reaches beyond the end of the file"
    }
    for cluster in clusters.lazy.map(HostCluster.init) {
      let other = structures[cluster] ?? uses.note(use, of: cluster)
      guard let other, other != .compressedData || use != .compressedData else { continue }
      return "its \(noun(use)) lies on \(other.name) at host offset \(geometry.offset(of: cluster))"
    }
    return nil
  }

  private func noun(_ use: ClusterUse) -> String {
    use == .compressedData ? "compressed data" : "cluster"
  }
}
