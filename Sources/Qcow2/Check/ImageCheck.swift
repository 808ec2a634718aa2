extension Image {
  /// Checks the image's metadata: counts all references anew, compares them with the stored refcounts,
  /// and looks for entries and flags that no valid image has. Nothing is changed.
  ///
  /// It follows `qemu-img check`, so that numbers and exit code are the same. The image should have been
  /// opened for ``Purpose/check``, which lets in what is worth checking.
  ///
  /// - Parameters:
  ///   - checkpoint: told how many bytes of tables were read; what it throws ends the check.
  ///   - foresee: told how many will be.
  /// - Returns: what was found.
  /// - Throws: ``Qcow2Error`` with the path if the file cannot be read, or is too large to be checked
  ///   (exit code 1); what the checkpoint throws.
  public func check(
    _ checkpoint: Checkpoint = { _ in }, foresee: @escaping (Int64) -> Void = { _ in }
  ) throws -> CheckReport {
    do {
      var report = try ImageCheck(self, checkpoint, foresee: foresee).report
      if hasMarker {
        report.remarks.append(
          .init(
            "Warning: the image has the marker bit of an earlier snapjob. qemu-img check -r would delete its "
              + "snapshots", .takeMarker))
      }
      return report
    } catch let error as Qcow2Error {
      throw error.in(path)
    }
  }
}

/// One check while it runs.
///
/// The trees' parts are counted in `TreeCheck.swift` and `BitmapCheck.swift`.
struct ImageCheck {
  let image: Image
  /// The refcounts on disk.
  let stored: StoredRefcounts
  /// The references found so far.
  private(set) var references: ReferenceCounts
  /// The references without those to the refcount table and blocks, which a repair makes anew.
  private(set) var contentReferences: ReferenceCounts
  /// What is wrong.
  var findings = CheckFindings()
  /// Clusters of the file, and of references behind its end that are let pass.
  private(set) var clusterCount: Int
  /// What was found.
  private(set) var report = CheckReport()

  var geometry: ClusterGeometry { image.geometry }

  /// Bytes of the L1 tables that were counted.
  var l1ByteCount: Int64 = 0
  /// Told the bytes of tables that will be read.
  let foresee: (Int64) -> Void

  /// Checks an image.
  init(
    _ image: Image, _ checkpoint: Checkpoint, foresee: @escaping (Int64) -> Void = { _ in }
  ) throws {
    self.foresee = foresee
    clusterCount = image.geometry.clusterCount(fileLength: image.fileLength)
    guard clusterCount <= Limits.refcountMapClusterCount else {
      throw Qcow2Error.overLimit("the file is too large to be checked")
    }
    self.image = image
    stored = try StoredRefcounts(image, foresee: foresee, checkpoint)
    references = ReferenceCounts(order: image.geometry.refcountOrder)
    contentReferences = references
    try countContent(checkpoint)
    contentReferences = references
    countRefcountStructures()
    try compare(checkpoint)
  }

  /// Counts everything that the header leads to but the refcounts.
  private mutating func countContent(_ checkpoint: Checkpoint) throws {
    let header = image.header
    count(0, byteCount: UInt64(geometry.clusterSize))
    try countTrees(checkpoint)
    count(header.snapshotsOffset.bytes, byteCount: UInt64(image.table.byteCount))
    for (index, entry) in image.table.entries.enumerated()
    where entry.diskSize == nil && header.version >= 3 {
      findings.corrupt("ERROR snapshot table entry \(index) is incomplete", isMendable: true)
    }
    for (index, entry) in image.table.entries.enumerated() where entry.excessExtraByteCount > 0 {
      findings.corrupt(
        "ERROR snapshot table entry \(index) has \(entry.excessExtraByteCount) bytes of extra "
          + "metadata too much", isMendable: true)
    }
    if let keys = try image.area.luksHeader() {
      count(keys.offset.bytes, byteCount: keys.byteCount)
    }
    try countBitmaps(checkpoint)
  }

  /// Counts references to a range of the file.
  ///
  /// - Parameters:
  ///   - offset: where it begins.
  ///   - byteCount: how long it is.
  ///   - times: how often it is referred to.
  ///   - isMendable: whether a repair makes it anew wherever it is.
  mutating func count(
    _ offset: UInt64, byteCount: UInt64, times: Int = 1, isMendable: Bool = false
  ) {
    guard byteCount > 0 else { return }
    let (end, overflow) = offset.addingReportingOverflow(byteCount)
    // The last cluster of a file may be there in part.
    guard !overflow, end < UInt64(image.fileLength) + UInt64(geometry.clusterSize) else {
      findings.corrupt(
        "ERROR: counting reference for region exceeding the end of the file by one cluster or more: "
          + "offset 0x\(hexadecimal(offset)) size 0x\(hexadecimal(byteCount))", times: times,
        isMendable: isMendable)
      return
    }
    let bits = UInt64(geometry.clusterBits)
    let last = Int((end - 1) >> bits)
    for cluster in Int(offset >> bits)...last {
      let lost = references.add(UInt32(clamping: times), to: HostCluster(cluster))
      findings.corrupt(
        "ERROR: overflow cluster offset=0x\(hexadecimal(UInt64(cluster) << bits))", times: lost)
    }
    clusterCount = max(clusterCount, last + 1)
  }

  /// Counts the refcount table and the refcount blocks, each of which must have its cluster to itself.
  private mutating func countRefcountStructures() {
    count(
      image.header.refcountTableOffset.bytes, byteCount: UInt64(stored.table.count * 8),
      isMendable: true)
    for (index, word) in stored.table.enumerated() where word != 0 {
      let offset = HostOffset(word)
      if word & 0x1ff != 0 {
        findings.corrupt(
          "ERROR refcount table entry \(index) has reserved bits set", isMendable: true)
      } else if !geometry.isAligned(offset) {
        findings.corrupt(
          "ERROR refcount block \(index) is not cluster aligned; refcount table entry corrupted",
          isMendable: true)
      } else if geometry.cluster(at: offset).index >= clusterCount {
        findings.corrupt("ERROR refcount block \(index) is outside image", isMendable: true)
      } else {
        count(word, byteCount: UInt64(geometry.clusterSize))
        let found = references[geometry.cluster(at: offset)]
        if found != 1 {
          findings.corrupt(
            "ERROR refcount block \(index) refcount=\(found)", isMendable: true)
        }
      }
    }
  }

  /// Compares the references with the stored refcounts, and makes the report.
  private mutating func compare(_ checkpoint: Checkpoint) throws {
    // One refcount block or one page of references, whichever is smaller, is passed over at once.
    let step = min(geometry.refcountBlockEntryCount, ReferenceCounts.pageCount)
    var highest = 0
    var first = 0
    while first < clusterCount {
      let page = references.page(first >> ReferenceCounts.pageBits)
      if !page.isEmpty || !stored.areZeros(around: HostCluster(first)) {
        compare(first..<min(first + step, clusterCount), page, &highest)
      }
      first += step
      if first % ReferenceCounts.pageCount == 0 { try checkpoint(0) }
    }
    let size = image.header.size
    let clusterSize = UInt64(geometry.clusterSize)
    report = findings.finish(
      totalClusters: Int(size / clusterSize) + (size % clusterSize == 0 ? 0 : 1),
      imageEndOffset: UInt64(highest + 1) * clusterSize)
  }

  private mutating func compare(_ clusters: Range<Int>, _ page: [UInt32], _ highest: inout Int) {
    for cluster in clusters {
      let found = page.isEmpty ? 0 : UInt64(page[cluster & (ReferenceCounts.pageCount - 1)])
      guard let count = stored[HostCluster(cluster)] else {
        findings.unknownRefcount(
          "Can't get refcount for cluster \(cluster): its refcount block is misplaced")
        continue
      }
      if count > 0 || found > 0 { highest = cluster }
      if count < found {
        findings.corrupt(
          "ERROR cluster \(cluster) refcount=\(count) reference=\(found)", isMendable: true)
      } else if count > found {
        findings.leak("Leaked cluster \(cluster) refcount=\(count) reference=\(found)")
      }
    }
  }
}
