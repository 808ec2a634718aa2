/// How often an L2 table is reached.
private struct TableUse {
  /// From all L1 tables.
  var total = 0
  /// From the active L1 table.
  var active = 0
  /// From entries of the active L1 table whose COPIED flags mean something.
  var flagged = 0
}

extension ImageCheck {
  /// Counts the active L1 table, those of all snapshots, and everything below them.
  ///
  /// Each L2 table is read once, however many trees share it.
  mutating func countTrees(_ checkpoint: Checkpoint) throws {
    let header = image.header
    var uses: [UInt64: TableUse] = [:]
    try countL1(
      at: header.l1TableOffset, entryCount: Int(header.l1Size), isActive: true, &uses, checkpoint)
    for (index, entry) in image.table.entries.enumerated() {
      if !geometry.isAligned(entry.l1TableOffset) {
        findings.corrupt(
          "ERROR snapshot table entry \(index) l1_offset=0x\(hexadecimal(entry.l1TableOffset.bytes)): "
            + "L1 table is not cluster aligned; snapshot table entry corrupted")
      } else if Int(entry.l1Size) > Limits.l1ByteCount / 8 {
        findings.corrupt(
          "ERROR snapshot table entry \(index) l1_size=\(entry.l1Size): "
            + "L1 table is too large; snapshot table entry corrupted")
      } else {
        try countL1(
          at: entry.l1TableOffset, entryCount: Int(entry.l1Size), isActive: false, &uses, checkpoint
        )
      }
    }
    let offsets = uses.keys.sorted().map(HostOffset.init)
    let file = image.file
    let tableByteCount = Int64(geometry.clusterSize)
    foresee(Int64(offsets.count) * tableByteCount)
    try file.readTables(offsets, geometry: geometry, isZeroPadded: true) { offset, words, range in
      if let use = uses[offset.bytes] { checkL2(words[range], use) }
      try checkpoint(tableByteCount)
    }
  }

  private mutating func countL1(
    at offset: HostOffset, entryCount: Int, isActive: Bool, _ uses: inout [UInt64: TableUse],
    _ checkpoint: Checkpoint
  ) throws {
    guard entryCount > 0 else { return }
    l1ByteCount += Int64(entryCount * 8)
    guard l1ByteCount <= image.fileLength + Int64(Limits.spareL1ByteCount) else {
      throw Qcow2Error.overLimit(
        "the L1 tables claim more than the file has; restore the image from a backup")
    }
    foresee(Int64(entryCount * 8))
    count(offset.bytes, byteCount: UInt64(entryCount) * 8)
    guard offset.bytes < UInt64(image.fileLength) else {
      findings.leadsNowhere("an L1 table lies behind the end of the file")
      return
    }
    // Behind the end of the file all entries are zero: no work for what a table only claims.
    let rest = (image.fileLength - Int64(offset.bytes) + 7) / 8
    let words = try image.file.readWords(
      count: min(entryCount, Int(rest)), at: offset, isZeroPadded: true)
    for (index, word) in words.enumerated() where word != 0 {
      if word & TableEntry.l1ReservedMask != 0 {
        findings.corrupt("ERROR found L1 entry with reserved bits set: \(hexadecimal(word))")
      }
      let table = word & TableEntry.offsetMask
      count(table, byteCount: UInt64(geometry.clusterSize))
      if !geometry.isAligned(HostOffset(table)) {
        findings.corrupt(
          "ERROR l2_offset=\(hexadecimal(table)): Table is not cluster aligned; L1 entry corrupted")
      }
      let isFlagged = isActive && checkL1Flag(word, index)
      // What lies behind the end reads as zeros: an empty table.
      guard table < UInt64(image.fileLength) else {
        findings.leadsNowhere("an L2 table lies behind the end of the file")
        continue
      }
      var use = uses[table] ?? TableUse()
      use.total += 1
      if isActive { use.active += 1 }
      if isFlagged { use.flagged += 1 }
      uses[table] = use
    }
    try checkpoint(Int64(entryCount * 8))
  }

  /// Checks the COPIED flag of an active L1 entry; returns whether those below it can be checked.
  private mutating func checkL1Flag(_ word: UInt64, _ index: Int) -> Bool {
    let table = word & TableEntry.offsetMask
    guard table != 0, let refcount = stored[geometry.cluster(at: HostOffset(table))] else {
      return false
    }
    if (refcount == 1) != (word & TableEntry.copied != 0) {
      findings.wrongFlag(
        "ERROR OFLAG_COPIED L2 cluster: l1_index=\(index) l1_entry=\(hexadecimal(word)) "
          + "refcount=\(refcount)")
    }
    return true
  }

  private mutating func checkL2(_ words: ArraySlice<UInt64>, _ use: TableUse) {
    var (allocated, fragmented, compressed) = (0, 0, 0)
    var expected: UInt64 = 0
    let step = geometry.l2EntryWords
    var index = words.startIndex
    while index < words.endIndex {
      let entry = words[index]
      let subclusters = step == 2 ? words[index + 1] : 0
      index += step
      if entry | subclusters == 0 { continue }
      if entry & TableEntry.compressed != 0 {
        if countCompressed(
          entry, subclusters, use.total, isActiveOnly: use.active == use.total)
        {
          allocated += 1
          compressed += 1
        }
        continue
      }
      if entry & TableEntry.l2ReservedMask != 0 {
        findings.corrupt(
          "ERROR found l2 entry with reserved bits set: \(hexadecimal(entry))", times: use.total)
      }
      let offset = entry & TableEntry.offsetMask
      guard offset != 0 else {
        if subclusters & 0xffff_ffff != 0 {
          findings.corrupt(
            "ERROR: Unallocated cluster has non-zero subcluster allocation map", times: use.total)
        }
        continue
      }
      countCluster(entry, subclusters, use)
      allocated += 1
      if expected != 0, offset != expected { fragmented += 1 }
      expected = offset + UInt64(geometry.clusterSize)
    }
    findings.addClusters(
      allocated: allocated * use.active, fragmented: (fragmented + compressed) * use.active,
      compressed: compressed * use.active)
  }

  /// Counts the clusters that a compressed cluster's bytes touch; returns false if the entry is not
  /// valid. A repair rewrites tables that only the active state uses.
  private mutating func countCompressed(
    _ entry: UInt64, _ subclusters: UInt64, _ times: Int, isActiveOnly: Bool
  ) -> Bool {
    let (offset, byteCount) = ClusterMapping.compressedExtent(entry, geometry)
    if entry & TableEntry.copied != 0 {
      findings.corrupt(
        "ERROR: coffset=0x\(hexadecimal(offset.bytes)): copied flag must never be set for compressed "
          + "clusters", times: times, isMendable: isActiveOnly)
    }
    guard subclusters == 0 else {
      findings.corrupt(
        "ERROR compressed cluster with non-zero subcluster allocation bitmap, "
          + "entry=0x\(hexadecimal(entry))", times: times)
      return false
    }
    count(offset.bytes, byteCount: UInt64(byteCount), times: times)
    return true
  }

  /// Counts a cluster that is stored as it is, or reserved for one that reads as zeros.
  private mutating func countCluster(_ entry: UInt64, _ subclusters: UInt64, _ use: TableUse) {
    let offset = entry & TableEntry.offsetMask
    if (subclusters >> 32) & subclusters != 0 {
      findings.corrupt(
        "ERROR offset=\(hexadecimal(offset)): Allocated cluster has corrupted subcluster allocation "
          + "bitmap", times: use.total)
    }
    if !geometry.isAligned(HostOffset(offset)) {
      let hasData =
        geometry.hasExtendedL2
        ? subclusters & 0xffff_ffff != 0 : entry & TableEntry.zero == 0
      findings.corrupt(
        "ERROR offset=\(hexadecimal(offset)): \(hasData ? "Data" : "Preallocated") cluster is not "
          + "properly aligned; L2 entry corrupted.", times: use.total)
    }
    count(offset, byteCount: UInt64(geometry.clusterSize), times: use.total)
    guard use.flagged > 0, let refcount = stored[geometry.cluster(at: HostOffset(offset))] else {
      return
    }
    if (refcount == 1) != (entry & TableEntry.copied != 0) {
      findings.wrongFlag(
        "ERROR OFLAG_COPIED data cluster: l2_entry=\(hexadecimal(entry)) refcount=\(refcount)",
        times: use.flagged)
    }
  }
}
