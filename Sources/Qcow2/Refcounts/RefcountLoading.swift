extension Image {
  /// Reads the refcount table and all its blocks. Blocks of zeros take no memory.
  func loadRefcounts() throws(Qcow2Error) -> RefcountMap {
    let geometry = self.geometry
    let tableEntries = Int(header.refcountTableClusters) * geometry.clusterSize / 8
    let words = try file.readWords(count: tableEntries, at: header.refcountTableOffset)
    let fileClusters = geometry.clusterCount(fileLength: fileLength)
    guard fileClusters <= Limits.refcountMapClusterCount else {
      throw .overLimit("the file is too large: \(fileClusters) clusters")
    }
    // Blocks behind the end of the file describe nothing that is there, but must not be lost.
    let lastUsed = words.lastIndex { $0 != 0 } ?? -1
    var clusters: [HostCluster?] = []
    for index in 0...max(lastUsed, 0) {
      clusters.append(try blockCluster(words[index], fileClusters: fileClusters))
    }
    let blocks = try readBlocks(clusters)
    return RefcountMap(
      geometry: geometry, blocks: blocks, blockClusters: clusters,
      clusterLimit: clusterLimit)
  }

  private func blockCluster(
    _ word: UInt64, fileClusters: Int
  ) throws(Qcow2Error) -> HostCluster? {
    guard word != 0 else { return nil }
    let offset = HostOffset(word)
    guard geometry.isAligned(offset), offset.bytes <= Limits.hostOffset,
      geometry.cluster(at: offset).index < fileClusters
    else {
      throw .corrupt(
        "a refcount block lies beyond the end of the file or not on a cluster",
        at: word)
    }
    return geometry.cluster(at: offset)
  }

  private func readBlocks(_ clusters: [HostCluster?]) throws(Qcow2Error) -> [[UInt32]] {
    var blocks = [[UInt32]](repeating: [], count: clusters.count)
    let present = clusters.indices.filter { clusters[$0] != nil }
      .sorted { (clusters[$0]?.index ?? 0) < (clusters[$1]?.index ?? 0) }
    let size = geometry.clusterSize
    let fileBlocks =
      geometry.clusterCount(fileLength: fileLength) / geometry.refcountBlockEntryCount
    let atOnce = max(1, PosixFile.batchByteCount / size)
    var first = 0
    while first < present.count {
      let start = clusters[present[first]]?.index ?? 0
      var count = 1
      while count < atOnce, first + count < present.count,
        clusters[present[first + count]]?.index == start + count
      { count += 1 }
      if first > 0, clusters[present[first - 1]]?.index == start {
        throw .corrupt(
          "two refcount table entries point to one block",
          at: geometry.offset(of: HostCluster(start)).bytes)
      }
      let bytes = try file.read(byteCount: count * size, at: Int64(start * size))
      for block in 0..<count {
        let counts = try RefcountBlockCoding.decode(
          bytes[block * size..<(block + 1) * size], order: geometry.refcountOrder)
        guard counts.contains(where: { $0 != 0 }) else { continue }
        // One block of slack: a program may have counted clusters that it did not come to write.
        guard present[first + block] <= fileBlocks + 1 else {
          throw .corrupt(
            "clusters far behind the end of the file are counted as used",
            at: geometry.offset(of: HostCluster(start + block)).bytes)
        }
        blocks[present[first + block]] = counts
      }
      first += count
    }
    return blocks
  }
}
