extension Image {
  /// Where the image's own structures lie, as far as they are found without reading L1 tables: none of
  /// them may be counted as free when something is written.
  ///
  /// - Parameter refcountBlocks: the places of the refcount blocks.
  /// - Returns: the runs; L2 tables and guest data are not among them.
  /// - Throws: ``Qcow2Error`` (corrupt) for a structure that reaches beyond the end of the file.
  func structureRuns(refcountBlocks: [HostCluster?]) throws(Qcow2Error) -> [HostRun] {
    var runs = [HostRun(first: HostCluster(0), count: 1)]
    runs += refcountBlocks.compactMap { $0.map { HostRun(first: $0, count: 1) } }
    let clusterSize = UInt64(geometry.clusterSize)
    runs.append(
      try run(
        at: header.refcountTableOffset,
        byteCount: UInt64(header.refcountTableClusters) * clusterSize))
    runs.append(try run(at: header.l1TableOffset, byteCount: UInt64(header.l1Size) * 8))
    if header.snapshotCount > 0 {
      runs.append(try run(at: header.snapshotsOffset, byteCount: UInt64(table.byteCount)))
    }
    for entry in table.entries {
      runs.append(try run(at: entry.l1TableOffset, byteCount: UInt64(entry.l1Size) * 8))
    }
    // Bitmaps that another program has outdated may be gone already.
    if let directory = try area.bitmapsExtension() {
      runs.append(try run(at: directory.directoryOffset, byteCount: directory.directoryByteCount))
    }
    for bitmap in bitmapEntries {
      runs.append(try run(at: bitmap.tableOffset, byteCount: UInt64(bitmap.tableSize) * 8))
    }
    if let area = try area.luksHeader() {
      runs.append(try run(at: area.offset, byteCount: area.byteCount))
    }
    return runs
  }

  private func run(at offset: HostOffset, byteCount: UInt64) throws(Qcow2Error) -> HostRun {
    let length =
      UInt64(geometry.clusterCount(fileLength: fileLength)) << UInt64(geometry.clusterBits)
    guard offset.bytes <= length, byteCount <= length - offset.bytes else {
      throw .corrupt(
        "a structure of the image reaches beyond the end of the file; run snapjob check",
        at: offset.bytes)
    }
    return HostRun(
      first: geometry.cluster(at: offset), count: geometry.clusterCount(bytes: Int(byteCount)))
  }
}
