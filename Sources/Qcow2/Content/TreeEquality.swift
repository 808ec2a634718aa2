/// Compares two states of a disk entry by entry: their L1 and L2 tables, but for COPIED. Guest data is not read.
///
/// What two trees share is never written in place. So whoever has written to the disk since two states were made
/// one, in whatever way, has made an entry differ; entries that differ may still lead to equal bytes.
/// ``TreeComparison`` finds what a guest may see of that.
struct TreeEquality {
  /// Two L2 tables that stand for the same part of the disk; 0 for none.
  private struct Pair {
    let index: Int
    let left: UInt64
    let right: UInt64
  }

  private let image: Image
  private let left: DiskTree
  private let right: DiskTree
  private let newTables: [UInt64: [UInt64]]
  private var geometry: ClusterGeometry { image.geometry }

  /// Two trees of an image, or of a draft of it.
  init(_ image: Image, _ left: DiskTree, _ right: DiskTree) {
    self.image = image
    self.left = left
    self.right = right
    newTables = left.newTables.merging(right.newTables) { _, new in new }
  }

  /// Whether the disks have one size, and all entries up to it are equal.
  ///
  /// Where both L1 tables lead to the same L2 table nothing is read.
  ///
  /// - Throws: ``Qcow2Error`` if a table cannot be read.
  func holds() throws(Qcow2Error) -> Bool {
    guard left.size == right.size else { return false }
    let pairsAtOnce = max(1, PosixFile.batchByteCount / geometry.clusterSize)
    // A disk's size can be wrong; what no table covers is the same in both.
    let count = min(
      geometry.l1EntryCount(diskSize: left.size), UInt64(max(left.l1.count, right.l1.count)))
    var batch: [Pair] = []
    for index in 0..<Int(count) {
      let pair = Pair(index: index, left: left.table(at: index), right: right.table(at: index))
      guard pair.left != pair.right else { continue }
      batch.append(pair)
      guard batch.count == pairsAtOnce else { continue }
      guard try areEqual(batch) else { return false }
      batch.removeAll(keepingCapacity: true)
    }
    return try areEqual(batch)
  }

  /// Reads the tables of some pairs, neighbours together, and compares pair by pair.
  private func areEqual(_ pairs: [Pair]) throws(Qcow2Error) -> Bool {
    let offsets = Set(pairs.flatMap { [$0.left, $0.right] }).subtracting([0])
      .filter { newTables[$0] == nil }.sorted()
    var tables = newTables
    do {
      try image.file.readTables(offsets.map(HostOffset.init), geometry: geometry) {
        offset, words, range in tables[offset.bytes] = Array(words[range])
      }
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw Qcow2Error(.io, "\(error)")
    }
    // No table is one without entries.
    let none = [UInt64](repeating: 0, count: geometry.clusterSize / 8)
    return pairs.allSatisfy { pair in
      areEqual(
        tables[pair.left] ?? none, tables[pair.right] ?? none,
        from: UInt64(pair.index) << UInt64(geometry.l2CoverageBits))
    }
  }

  /// Whether two tables are equal up to the end of the disk.
  private func areEqual(_ left: [UInt64], _ right: [UInt64], from start: UInt64) -> Bool {
    let step = geometry.l2EntryWords
    for index in 0..<geometry.l2EntryCount {
      guard start + UInt64(index) << UInt64(geometry.clusterBits) < self.left.size else { break }
      let (one, other) = (left[index * step], right[index * step])
      guard (one ^ other) & ~TableEntry.copied == 0 else { return false }
      // With extended entries the second word says which subclusters there are.
      if step > 1, left[index * step + 1] != right[index * step + 1] { return false }
    }
    return true
  }
}

extension Image {
  /// Whether the active state is that of a snapshot: the disk has its size, and all L1 and L2 entries are equal but
  /// for COPIED.
  ///
  /// It is so after the snapshot was taken or loaded, until anybody writes to the disk. The same bytes written
  /// again make the states differ, too.
  ///
  /// - Parameter position: the snapshot's, in ``snapshots``.
  /// - Returns: whether they are one state.
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read.
  public func isActiveState(ofSnapshot position: Int) throws(Qcow2Error) -> Bool {
    do throws(Qcow2Error) {
      return try TreeEquality(
        self, DiskTree(.active, of: self), DiskTree(.snapshot(position), of: self)
      ).holds()
    } catch {
      throw error.in(path)
    }
  }

  /// The position of the newest snapshot whose state the active one is; nil if there is none.
  ///
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read.
  public func snapshotOfActiveState() throws(Qcow2Error) -> Int? {
    for position in table.entries.indices.reversed() {
      if try isActiveState(ofSnapshot: position) { return position }
    }
    return nil
  }
}

extension ImageDraft {
  /// The snapshots, as they will be, whose state is that of one that the image has: equal entry for entry, but for
  /// COPIED.
  ///
  /// - Parameter position: of the image's snapshot, in ``Image/snapshots``; it may be one that goes away.
  /// - Returns: their positions in ``snapshots``.
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read.
  public func positions(equalTo position: Int) throws(Qcow2Error) -> [Int] {
    do throws(Qcow2Error) {
      let model = try DiskTree(.snapshot(position), of: image)
      var found: [Int] = []
      for candidate in table.entries.indices {
        let tree = try DiskTree(snapshot: candidate, of: self)
        if try TreeEquality(image, model, tree).holds() { found.append(candidate) }
      }
      return found
    } catch {
      throw error.in(image.path)
    }
  }
}
