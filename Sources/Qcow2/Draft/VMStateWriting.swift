extension ImageDraft {
  /// The VM state that a snapshot keeps, for a new snapshot of this image to share.
  ///
  /// - Parameter position: the snapshot's in the table of this draft.
  /// - Returns: the state; it stays good if the snapshot is deleted in this same draft.
  /// - Throws: ``Qcow2Error``: notFound if the snapshot is disk-only, corrupt if the state cannot be there.
  public func vmState(ofSnapshot position: Int) throws(Qcow2Error) -> VMState {
    let entry = table.entries[position]
    do throws(Qcow2Error) {
      guard entry.vmStateSize > 0 else {
        throw .notFound(
          "the snapshot '\(String(decoding: entry.name, as: UTF8.self))' has no VM state")
      }
      return VMState(
        .shared(try vmStateArea(at: position)), vmClockNanoseconds: entry.vmClockNanoseconds,
        icount: entry.icount == SnapshotEntry.noInstructionCount ? nil : entry.icount)
    } catch {
      throw error.in(image.path)
    }
  }

  /// Takes a snapshot of the active state with VM state; the active state itself never has any.
  ///
  /// - Parameters:
  ///   - tag: its name; uniqueness is the caller's to check.
  ///   - date: when.
  ///   - vmState: of this draft (``vmState(ofSnapshot:)``), or to be copied; nil for none.
  /// - Throws: ``Qcow2Error``: overLimit if the tables cannot hold it, unsupported if the image is encrypted
  ///   in a way that the state cannot be put there, noSpace on a block device.
  public mutating func takeSnapshot(
    tag: String, date: SnapshotDate, vmState: VMState?
  ) throws(Qcow2Error) {
    try takeSnapshot(tag: tag, date: date)
    guard let vmState else { return }
    do {
      try add(vmState, toNewSnapshot: table.entries.count - 1)
    } catch {
      throw error.in(image.path)
    }
  }

  private mutating func add(
    _ state: VMState, toNewSnapshot position: Int
  ) throws(Qcow2Error) {
    let first = Int(geometry.l1EntryCount(diskSize: size))
    let count = geometry.l1EntryCount(diskSize: state.byteCount)
    guard count <= UInt64(Limits.l1ByteCount / 8 - first) else {
      throw .overLimit(
        "the image has no room for \(state.byteCount) bytes of VM state behind its disk")
    }
    // What lies behind the disk and is no VM state stays with the active state alone.
    let disk = newL1s[position] ?? []
    for offset in disk.dropFirst(first) { addTree(offset, -1) }
    let padding = [UInt64](repeating: 0, count: max(0, first - disk.count))
    let tables = try tables(of: state, firstEntry: first)
    for offset in tables { addTree(offset, 1) }
    newL1s[position] = disk.prefix(first) + padding + tables
    table.entries[position].vmStateSize = state.byteCount
    table.entries[position].vmClockNanoseconds = state.vmClockNanoseconds
    table.entries[position].icount = state.icount ?? SnapshotEntry.noInstructionCount
  }

  private mutating func tables(
    of state: VMState, firstEntry: Int
  ) throws(Qcow2Error) -> [UInt64] {
    switch state.content {
    case .shared(let area):
      // AES in this format makes the key stream from the guest's sector, which would be another one.
      guard image.header.cryptMethod != 1 || area.firstEntry == firstEntry else {
        throw .unsupported(
          "the image is encrypted with AES: VM state of a disk of another size cannot be shared")
      }
      return area.tables
    case .copied(let source):
      guard image.header.cryptMethod == 0 else {
        throw .unsupported(
          "the image is encrypted; VM state cannot be written into it without the key. Choose another "
            + "node for it")
      }
      return try reserveTables(for: source)
    }
  }

  /// Reserves clusters for state that is to be copied, and makes the L2 tables that lead to them.
  private mutating func reserveTables(
    for source: any VMStateSource
  ) throws(Qcow2Error) -> [UInt64] {
    let clusterSize = UInt64(geometry.clusterSize)
    let clusterCount =
      source.byteCount / clusterSize + (source.byteCount % clusterSize == 0 ? 0 : 1)
    guard clusterCount <= UInt64(Limits.refcountMapClusterCount) else {
      throw .overLimit("the VM state of \(source.byteCount) bytes is too large for the image")
    }
    let runs = try reserve(Int(clusterCount))
    newVMStates.append(VMStateCopy(source, into: runs))
    let clusters = runs.flatMap { run in (0..<run.count).map { run[$0] } }
    let tableCount = Int(geometry.l1EntryCount(diskSize: source.byteCount))
    let places = try reserve(tableCount).flatMap { run in (0..<run.count).map { run[$0] } }
    return places.enumerated().map { index, place in
      let start = index * geometry.l2EntryCount
      let own = clusters[start..<min(start + geometry.l2EntryCount, clusters.count)]
      var words = [UInt64](repeating: 0, count: geometry.clusterSize / 8)
      for (entry, cluster) in own.enumerated() {
        words[entry * geometry.l2EntryWords] = geometry.offset(of: cluster).bytes
        if geometry.hasExtendedL2 {
          words[entry * geometry.l2EntryWords + 1] = L2Entry.allSubclustersStored
        }
      }
      let offset = geometry.offset(of: place).bytes
      newL2s[offset] = words
      return offset
    }
  }

  /// Runs of free clusters, long ones where there are any.
  private mutating func reserve(_ count: Int) throws(Qcow2Error) -> [HostRun] {
    var runs: [HostRun] = []
    var left = count
    while left > 0 {
      let run = try refcounts.allocate(upTo: left, atLeast: min(left, 16))
      runs.append(run)
      left -= run.count
    }
    return runs
  }

  // MARK: Who keeps it

  /// The snapshots of this draft that keep the very clusters of a state.
  ///
  /// - Parameter state: of a snapshot of the same image, which may have been deleted meanwhile; of copied
  ///   state nobody has the clusters.
  /// - Returns: their positions in the table of this draft.
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read.
  public func positions(keeping state: VMState) throws(Qcow2Error) -> [Int] {
    guard case .shared(let area) = state.content else { return [] }
    do throws(Qcow2Error) {
      var found: [Int] = []
      for position in table.entries.indices
      where table.entries[position].vmStateSize == area.byteCount {
        let candidate = try vmStateArea(at: position)
        if try isSame(area.tables, candidate.tables) { found.append(position) }
      }
      return found
    } catch {
      throw error.in(image.path)
    }
  }

  private func vmStateArea(at position: Int) throws(Qcow2Error) -> VMStateArea {
    try VMStateArea(
      of: table.entries[position], l1: try l1(at: position), currentDiskSize: image.header.size,
      geometry)
  }

  /// Whether tables lead to the same clusters; one may be a copy of the other with other flags.
  private func isSame(_ left: [UInt64], _ right: [UInt64]) throws(Qcow2Error) -> Bool {
    guard left.count == right.count else { return false }
    for (one, other) in zip(left, right) where one != other {
      guard one != 0, other != 0, try flagless(one) == flagless(other) else { return false }
    }
    return true
  }

  private func flagless(_ table: UInt64) throws(Qcow2Error) -> [UInt64] {
    if let words = newL2s[table] { return words }
    var words = try image.file.readWords(
      count: geometry.clusterSize / 8, at: HostOffset(table), isZeroPadded: true)
    for index in stride(from: 0, to: words.count, by: geometry.l2EntryWords) {
      words[index] &= ~TableEntry.copied
    }
    return words
  }
}
