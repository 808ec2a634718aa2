/// Writes what is new in a settled draft into clusters that are free in the old and in the new image.
///
/// Nothing that the first sector on disk leads to is touched. Order does not matter: one fsync comes
/// before the new first sector is used.
struct DraftWriter {
  var draft: ImageDraft
  let image: Image
  private let checkpoint: Checkpoint
  /// The header extensions that go with what was written.
  var extensions: [HeaderExtension]
  /// Bytes written.
  private(set) var byteCount: Int64 = 0
  /// What was written, to be given back if the draft is undone.
  private(set) var writtenRuns: [HostRun] = []

  var geometry: ClusterGeometry { draft.geometry }
  private var file: any ImageFile { image.file }

  /// Starts writing.
  ///
  /// - Parameters:
  ///   - draft: settled.
  ///   - image: the image.
  ///   - checkpoint: told the bytes written; what it throws ends the work.
  init(_ draft: ImageDraft, image: Image, checkpoint: @escaping Checkpoint) {
    self.draft = draft
    self.image = image
    self.checkpoint = checkpoint
    extensions = image.area.extensions
  }

  /// The refcounts as they are after everything is written.
  var refcounts: RefcountMap { draft.refcounts }

  /// Writes everything; returns the header that leads to it.
  mutating func write() throws -> Header {
    var header = image.header
    header.size = draft.size
    if let recount = draft.recount { header.incompatible.subtract(recount.clearedFeatures) }
    let moved = try writeL2Tables()
    for (offset, bytes) in draft.newData { try write(bytes, HostOffset(offset)) }
    try writeVMStates()
    try writeActiveL1(moved, &header)
    try writeSnapshotL1s(moved)
    try writeSnapshotTable(&header)
    try writeBitmaps(&header)
    try writeRefcounts(&header)
    return header
  }

  // MARK: L2 tables

  /// Writes the tables whose COPIED flags differ from what the new refcounts say, and those that exist
  /// in memory only.
  ///
  /// - Returns: the new place of each table that has moved.
  private mutating func writeL2Tables() throws -> [UInt64: UInt64] {
    let active = Set(draft.activeL1)
    for (offset, words) in draft.newL2s where draft.refcounts[cluster(offset)] > 0 {
      var words = words
      _ = CopiedFlags(draft, isActive: active.contains(offset)).correct(&words, 0..<words.count)
      try writeWords(words, HostOffset(offset))
    }

    let geometry = self.geometry
    var references: [UInt64: Int] = [:]
    for offset in draft.activeL1 where offset != 0 { references[offset, default: 0] += 1 }
    for l1 in draft.newL1s.values {
      for offset in l1 where offset != 0 { references[offset, default: 0] += 1 }
    }
    let candidates = references.keys.filter { offset in
      guard draft.newL2s[offset] == nil else { return false }
      if draft.recount != nil { return true }
      let isCounted = draft.treeDeltas[offset] != nil
      return draft.copiedSeen.contains(offset) || (!isCounted && !active.contains(offset))
        || (draft.refcounts.hasReachedOne && draft.refcounts[cluster(offset)] == 1)
    }.sorted().map(HostOffset.init)

    var moved: [UInt64: UInt64] = [:]
    var waiting: (offsets: [UInt64], words: [UInt64]) = ([], [])
    let limit = PosixFile.batchByteCount / geometry.clusterSize
    let file = self.file
    try file.readTables(candidates, geometry: geometry, isZeroPadded: true) {
      offset, words, range in
      let isActive = active.contains(offset.bytes)
      let isChanged = CopiedFlags(draft, isActive: isActive).correct(&words, range)
      if isChanged {
        waiting.offsets.append(offset.bytes)
        waiting.words += words[range]
        if waiting.offsets.count >= limit { try place(&waiting, references, &moved) }
      }
      try checkpoint(0)
    }
    try place(&waiting, references, &moved)
    return moved
  }

  /// Gives changed tables a new place and moves the references of the active L1 and of new snapshots;
  /// older snapshots keep the old place.
  private mutating func place(
    _ waiting: inout (offsets: [UInt64], words: [UInt64]), _ references: [UInt64: Int],
    _ moved: inout [UInt64: UInt64]
  ) throws {
    var next = 0
    while next < waiting.offsets.count {
      let left = waiting.offsets.count - next
      let run = try draft.refcounts.allocate(upTo: left, atLeast: min(left, 16))
      for index in 0..<run.count {
        let old = waiting.offsets[next + index]
        let count = references[old] ?? 0
        try draft.refcounts.add(count, to: run[index])
        try draft.refcounts.add(-count, to: cluster(old))
        moved[old] = geometry.offset(of: run[index]).bytes
      }
      let perTable = geometry.clusterSize / 8
      try writeWords(
        Array(waiting.words[next * perTable..<(next + run.count) * perTable]),
        geometry.offset(of: run.first))
      next += run.count
    }
    waiting = ([], [])
  }

  // MARK: VM state

  /// Copies the VM state of new snapshots, but of those that were deleted again.
  private mutating func writeVMStates() throws {
    for state in draft.newVMStates {
      guard let first = state.firstCluster, draft.refcounts[first] > 0 else { continue }
      try state.forEachPiece(geometry) { bytes, offset in try write(bytes, offset) }
    }
  }

  // MARK: L1 tables and the snapshot table

  private mutating func writeActiveL1(_ moved: [UInt64: UInt64], _ header: inout Header) throws {
    let flags = CopiedFlags(draft, isActive: true)
    var words = draft.activeL1.map { flags.corrected(moved[$0] ?? $0) }
    if words.isEmpty { words = [0] }
    guard words != (try image.readActiveL1()) else { return }
    let old = HostRun(
      first: geometry.cluster(at: header.l1TableOffset),
      count: geometry.clusterCount(bytes: Int(header.l1Size) * 8))
    for index in 0..<old.count { try draft.refcounts.add(-1, to: old[index]) }
    header.l1TableOffset = try writeTable(words)
    header.l1Size = UInt32(words.count)
  }

  private mutating func writeSnapshotL1s(_ moved: [UInt64: UInt64]) throws {
    for (position, l1) in draft.newL1s.sorted(by: { $0.key < $1.key }) {
      let words = l1.isEmpty ? [0] : l1.map { moved[$0] ?? $0 }
      draft.table.entries[position].l1TableOffset = try writeTable(words)
      draft.table.entries[position].l1Size = UInt32(words.count)
    }
  }

  private mutating func writeSnapshotTable(_ header: inout Header) throws {
    guard draft.table.entries != image.table.entries else { return }
    if header.snapshotCount > 0 {
      let first = geometry.cluster(at: header.snapshotsOffset)
      let old = HostRun(
        first: first, count: geometry.clusterCount(bytes: image.table.byteCount))
      for index in 0..<old.count { try draft.refcounts.add(-1, to: old[index]) }
    }
    header.snapshotCount = UInt32(draft.table.entries.count)
    header.snapshotsOffset = HostOffset(0)
    guard !draft.table.entries.isEmpty else { return }
    let bytes = draft.table.encoded()
    let run = try newRun(geometry.clusterCount(bytes: bytes.count))
    try write(padded(bytes, run), geometry.offset(of: run.first))
    header.snapshotsOffset = geometry.offset(of: run.first)
  }

  /// Writes words into new clusters of their own.
  mutating func writeTable(_ words: [UInt64]) throws -> HostOffset {
    let run = try newRun(geometry.clusterCount(bytes: words.count * 8))
    let wordCount = run.count * geometry.clusterSize / 8
    let padding = [UInt64](repeating: 0, count: wordCount - words.count)
    try writeWords(words + padding, geometry.offset(of: run.first))
    return geometry.offset(of: run.first)
  }

  // MARK: Refcounts

  private mutating func writeRefcounts(_ header: inout Header) throws {
    var tableClusters = 1
    if draft.recount == nil {
      let old = HostRun(
        first: geometry.cluster(at: header.refcountTableOffset),
        count: Int(header.refcountTableClusters))
      for index in 0..<old.count { try draft.refcounts.add(-1, to: old[index]) }
      tableClusters = old.count
    }
    var run = try newRun(tableClusters)
    try draft.refcounts.relocateChangedBlocks()
    while true {
      let needed = geometry.clusterCount(bytes: draft.refcounts.blockClusters.count * 8)
      guard needed > run.count else { break }
      // A table that has become too small grows by half, as QEMU's does.
      for index in 0..<run.count { try draft.refcounts.add(-1, to: run[index]) }
      run = try newRun(needed + needed / 2)
      try draft.refcounts.relocateChangedBlocks()
    }
    guard run.count * geometry.clusterSize <= Limits.refcountTableByteCount else {
      throw Qcow2Error.overLimit("the image's refcount table would become too large")
    }
    try writeBlocks()
    var words = draft.refcounts.blockClusters.map { $0.map { geometry.offset(of: $0).bytes } ?? 0 }
    words += [UInt64](repeating: 0, count: run.count * geometry.clusterSize / 8 - words.count)
    try writeWords(words, geometry.offset(of: run.first))
    header.refcountTableOffset = geometry.offset(of: run.first)
    header.refcountTableClusters = UInt32(run.count)
  }

  /// Writes the moved refcount blocks, neighbours together.
  private mutating func writeBlocks() throws {
    let moved = draft.refcounts.movedBlocks.sorted { $0.value < $1.value }
    var bytes: [UInt8] = []
    var first = HostCluster(0)
    for (index, (block, cluster)) in moved.enumerated() {
      if bytes.isEmpty { first = cluster }
      bytes += draft.refcounts.encodedBlock(block)
      let isLast = index + 1 == moved.count || moved[index + 1].value.index != cluster.index + 1
      if isLast || bytes.count >= PosixFile.batchByteCount {
        try write(bytes, geometry.offset(of: first))
        bytes = []
      }
    }
  }

  // MARK: Bytes

  private func cluster(_ offset: UInt64) -> HostCluster {
    geometry.cluster(at: HostOffset(offset))
  }

  /// New clusters with one reference each.
  mutating func newRun(_ count: Int) throws -> HostRun {
    let run = try draft.refcounts.allocate(count)
    for index in 0..<count { try draft.refcounts.add(1, to: run[index]) }
    return run
  }

  func padded(_ bytes: [UInt8], _ run: HostRun) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: run.count * geometry.clusterSize - bytes.count)
  }

  private mutating func writeWords(_ words: [UInt64], _ offset: HostOffset) throws {
    note(offset, byteCount: words.count * 8)
    try file.writeWords(words, at: offset)
    try checkpoint(Int64(words.count * 8))
  }

  mutating func write(_ bytes: [UInt8], _ offset: HostOffset) throws {
    note(offset, byteCount: bytes.count)
    try file.write(bytes, at: Int64(offset.bytes))
    try checkpoint(Int64(bytes.count))
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer, _ offset: HostOffset) throws {
    note(offset, byteCount: bytes.count)
    try file.write(bytes, at: Int64(offset.bytes))
    try checkpoint(Int64(bytes.count))
  }

  /// Remembers a write before it happens: a failed one may have left something behind.
  private mutating func note(_ offset: HostOffset, byteCount: Int) {
    self.byteCount += Int64(byteCount)
    writtenRuns.append(
      HostRun(
        first: geometry.cluster(at: offset), count: geometry.clusterCount(bytes: byteCount)))
  }
}
