/// Where an image's own structures lie: no guest data may lie there, nor one structure on another.
///
/// What cannot be read or is not valid is passed over; reading the states, or a check, reports it.
struct StructurePlaces {
  private let image: Image
  /// What the structures occupy.
  private(set) var uses: ClusterUses
  /// What is wrong with their places, as sentences; at most ``ContentProblems/maximumCount``.
  private(set) var problems: [String] = []

  private var geometry: ClusterGeometry { image.geometry }

  /// Finds all structures that the header leads to.
  ///
  /// - Throws: ``Qcow2Error`` if the file is too large, or the header's extensions are not valid.
  init(_ image: Image) throws(Qcow2Error) {
    self.image = image
    uses = try ClusterUses(image)
    let header = image.header
    note(.header, at: HostOffset(0), byteCount: UInt64(geometry.clusterSize))
    noteRefcounts()
    if header.snapshotCount > 0 {
      note(.snapshotTable, at: header.snapshotsOffset, byteCount: UInt64(image.table.byteCount))
    }
    var l1Tables: [SnapshotEntry?] = []
    if note(.activeL1Table, at: header.l1TableOffset, byteCount: UInt64(header.l1Size) * 8) {
      l1Tables.append(nil)
    }
    for entry in image.table.entries
    where note(.snapshotL1Table, at: entry.l1TableOffset, byteCount: UInt64(entry.l1Size) * 8) {
      l1Tables.append(entry)
    }
    if let pointer = try image.area.luksHeader() {
      note(.luksHeader, at: pointer.offset, byteCount: pointer.byteCount)
    }
    try noteBitmaps()
    // Only those that lie on nothing else: so no more is read than the file has.
    for entry in l1Tables { noteL2Tables(of: entry) }
  }

  private mutating func noteRefcounts() {
    let header = image.header
    let byteCount = UInt64(header.refcountTableClusters) << UInt64(geometry.clusterBits)
    note(.refcountTable, at: header.refcountTableOffset, byteCount: byteCount)
    let words = try? image.file.readWords(
      count: Int(byteCount / 8), at: header.refcountTableOffset, isZeroPadded: true)
    for word in words ?? [] where word & ~TableEntry.offsetMask == 0 {
      noteCluster(.refcountBlock, at: word)
    }
  }

  private mutating func noteBitmaps() throws(Qcow2Error) {
    guard let directory = try image.area.bitmapsExtension() else { return }
    note(
      .bitmapDirectory, at: directory.directoryOffset, byteCount: directory.directoryByteCount)
    for bitmap in image.bitmapEntries {
      let count = UInt64(bitmap.tableSize)
      guard count << UInt64(geometry.clusterBits) <= BitmapLimits.byteCount,
        note(.bitmapTable, at: bitmap.tableOffset, byteCount: count * 8)
      else { continue }
      let words = try? image.file.readWords(
        count: Int(count), at: bitmap.tableOffset, isZeroPadded: true)
      for word in words ?? [] { noteCluster(.bitmapData, at: word & TableEntry.offsetMask) }
    }
  }

  /// Notes what a snapshot's L1 table leads to, or the active one; L2 tables may be shared by several.
  private mutating func noteL2Tables(of entry: SnapshotEntry?) {
    let l1 = entry.map { try? image.readL1(of: $0) } ?? (try? image.readActiveL1())
    for word in l1 ?? [] { noteCluster(.l2Table, at: word & TableEntry.offsetMask) }
  }

  /// Notes one cluster that a table's entry points to; 0 is no cluster.
  private mutating func noteCluster(_ use: ClusterUse, at offset: UInt64) {
    guard offset != 0, geometry.isAligned(HostOffset(offset)) else { return }
    note(use, at: HostOffset(offset), byteCount: UInt64(geometry.clusterSize))
  }

  /// Notes a structure.
  ///
  /// - Returns: whether it lies inside the file and on nothing else.
  @discardableResult private mutating func note(
    _ use: ClusterUse, at offset: HostOffset, byteCount: UInt64
  ) -> Bool {
    guard byteCount > 0 else { return true }
    guard let clusters = uses.clusters(at: offset, byteCount: byteCount, geometry) else {
      report("\(use.name) at host offset \(offset) reaches beyond the end of the file")
      return false
    }
    for cluster in clusters {
      let old = uses.note(use, of: HostCluster(cluster))
      if let old, use != .l2Table || old != .l2Table {
        let place = geometry.offset(of: HostCluster(cluster))
        report(
          "\(use.name) lies on \(old == use ? "another one" : old.name) at host offset \(place)")
        return false
      }
    }
    return true
  }

  private mutating func report(_ problem: String) {
    if problems.count < ContentProblems.maximumCount { problems.append(problem) }
  }
}
