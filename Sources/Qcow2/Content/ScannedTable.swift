/// What was found when everything that an L2 table leads to was read.
struct ScannedTable: Sendable {
  /// Bytes of the disk, by how they are mapped.
  struct Counts: Sendable, Hashable {
    /// Stored, as they are or compressed.
    var stored: UInt64 = 0
    /// Zeros by the zero flag.
    var zeros: UInt64 = 0
    /// From the backing file, or zeros.
    var unallocated: UInt64 = 0
  }

  /// Why nothing was read; nil if the table was.
  var failure: String?
  /// What is wrong with a cluster, by the number of its entry.
  var flaws: [Int: String] = [:]
  /// What the whole table stands for, without the clusters that have a flaw.
  var counts = Counts()

  /// Counts what the first part of a table stands for.
  ///
  /// - Parameters:
  ///   - words: the table's.
  ///   - header: of the image.
  ///   - limit: bytes of the disk from the table's first on.
  /// - Returns: the bytes below the limit.
  func counts(of words: [UInt64], _ header: Header, below limit: UInt64) -> Counts {
    let geometry = header.geometry
    var counts = Counts()
    for index in 0..<geometry.l2EntryCount {
      let start = UInt64(index) << UInt64(geometry.clusterBits)
      guard start < limit else { break }
      guard flaws[index] == nil, let entry = try? L2Entry(index, of: words[...], header) else {
        continue
      }
      var subcluster = 0
      while subcluster < geometry.subclusterCount {
        let length = entry.runLength(fromSubcluster: subcluster)
        let first = start + UInt64(subcluster * geometry.subclusterSize)
        let end = min(limit, first + UInt64(length * geometry.subclusterSize))
        if first < end { counts.add(end - first, entry.mapping(ofSubcluster: subcluster)) }
        subcluster += length
      }
    }
    return counts
  }

  /// Notes the flaws of a state's part.
  ///
  /// - Parameters:
  ///   - problems: goes on.
  ///   - start: the table's first byte on the disk.
  ///   - limit: bytes from there on that matter.
  ///   - geometry: the image's.
  func note(
    in problems: inout ContentProblems, from start: UInt64, below limit: UInt64,
    _ geometry: ClusterGeometry
  ) {
    if let failure { return problems.note(failure, start..<start + limit) }
    for (index, text) in flaws.sorted(by: { $0.key < $1.key }) {
      let first = UInt64(index) << UInt64(geometry.clusterBits)
      guard first < limit else { return }
      let end = min(limit, first + UInt64(geometry.clusterSize))
      problems.note(text, start + first..<start + end)
    }
  }
}

extension ScannedTable.Counts {
  fileprivate mutating func add(_ byteCount: UInt64, _ mapping: ClusterMapping) {
    switch mapping {
    case .data, .compressed: stored += byteCount
    case .zero: zeros += byteCount
    case .unallocated: unallocated += byteCount
    }
  }
}
