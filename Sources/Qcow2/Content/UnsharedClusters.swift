extension Image {
  /// Bytes of clusters that the active state uses and no snapshot does: refcount 1.
  ///
  /// Compressed clusters count as one cluster each. The refcounts of an image that was not closed cleanly are
  /// counted anew, if that can be done.
  public func unsharedActiveByteCount() throws -> Int64 {
    do {
      let geometry = self.geometry
      let refcounts = try currentRefcounts()
      let own = try readActiveL1().map { HostOffset($0 & TableEntry.offsetMask) }
        .filter { $0.bytes != 0 && refcounts[geometry.cluster(at: $0)] == 1 }
      var count: Int64 = 0
      let step = geometry.l2EntryWords
      try file.readTables(Set(own).sorted(), geometry: geometry) { _, words, range in
        for index in stride(from: range.lowerBound, to: range.upperBound, by: step) {
          let entry = words[index]
          if entry & TableEntry.compressed != 0 {
            let (offset, _) = ClusterMapping.compressedExtent(entry, geometry)
            if refcounts[geometry.cluster(at: offset)] == 1 { count += 1 }
          } else {
            let offset = HostOffset(entry & TableEntry.offsetMask)
            if offset.bytes != 0, refcounts[geometry.cluster(at: offset)] == 1 { count += 1 }
          }
        }
      }
      return count << Int64(geometry.clusterBits)
    } catch let error as Qcow2Error {
      throw error.in(path)
    }
  }
}
