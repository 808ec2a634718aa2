/// Reads what L2 tables lead to: each table and each cluster once, however many states share it, and no holes. So the
/// work is bounded by what the file has, whatever its tables claim.
struct ContentScan {
  private let image: Image
  private let structures: ClusterUses
  private let isEncrypted: Bool
  private let checkpoint: Checkpoint
  /// What was found, by the table's offset.
  private var tables: [UInt64: ScannedTable] = [:]
  /// Clusters that were read.
  private var read: ClusterUses
  private var flawCount = 0
  private var buffer: [UInt8]
  /// The table that was read last.
  private var lastTable: (offset: UInt64, words: [UInt64])?

  /// Flaws that are kept in memory; tables that come later are not looked into.
  private static let maximumFlawCount = 1 << 20

  private var geometry: ClusterGeometry { image.geometry }

  /// Starts with nothing read.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - structures: where its structures lie.
  ///   - checkpoint: told the bytes of the file that were read; what it throws ends the work.
  /// - Throws: ``Qcow2Error`` (overLimit) if the file is too large.
  init(
    _ image: Image, structures: ClusterUses, _ checkpoint: @escaping Checkpoint
  ) throws(Qcow2Error) {
    self.image = image
    self.structures = structures
    self.checkpoint = checkpoint
    isEncrypted = image.header.cryptMethod != 0
    read = try ClusterUses(image)
    buffer = [UInt8](repeating: 0, count: max(1 << 20, image.clusterSize))
  }

  /// The words of a table; what lies behind the end of the file are zeros.
  ///
  /// - Throws: ``Qcow2Error`` if it begins behind the end of the file, or cannot be read.
  mutating func words(of table: UInt64) throws(Qcow2Error) -> [UInt64] {
    if let lastTable, lastTable.offset == table { return lastTable.words }
    guard table < UInt64(image.fileLength) else {
      throw .corrupt("the L2 table lies beyond the end of the file", at: table)
    }
    let words = try image.file.readWords(
      count: geometry.clusterSize / 8, at: HostOffset(table), isZeroPadded: true)
    lastTable = (table, words)
    return words
  }

  /// What is found below a table, which is read unless it was.
  ///
  /// - Parameters:
  ///   - table: its offset.
  ///   - start: the disk's first byte that it stands for, for messages.
  /// - Returns: what was found.
  /// - Throws: what the checkpoint throws.
  mutating func scan(_ table: UInt64, from start: UInt64) throws -> ScannedTable {
    if let known = tables[table] { return known }
    var found = ScannedTable()
    do {
      guard flawCount < Self.maximumFlawCount else {
        throw Qcow2Error.overLimit("not looked into: there are too many problems already")
      }
      let words = try words(of: table)
      let stored = examine(words, table, from: start, &found)
      try readClusters(stored, &found)
      found.counts = found.counts(
        of: words, image.header, below: UInt64(1) << UInt64(geometry.l2CoverageBits))
    } catch let error as Qcow2Error {
      found = ScannedTable()
      found.failure = Self.text(error)
    }
    flawCount += found.flaws.count
    tables[table] = found
    try checkpoint(Int64(geometry.clusterSize))
    return found
  }

  private static func text(_ error: Qcow2Error) -> String {
    error.message + (error.offset.map { " (host offset \(HostOffset($0)))" } ?? "")
  }

  /// Looks at the entries of a table, and inflates compressed clusters.
  ///
  /// - Returns: the clusters that are stored as they are and were not read yet, with their entries' numbers.
  private mutating func examine(
    _ words: [UInt64], _ table: UInt64, from start: UInt64, _ found: inout ScannedTable
  ) -> [(index: Int, cluster: HostCluster)] {
    var waiting: [(index: Int, cluster: HostCluster)] = []
    for index in 0..<geometry.l2EntryCount {
      let position = index * geometry.l2EntryWords
      if words[position] == 0, geometry.l2EntryWords == 1 || words[position + 1] == 0 { continue }
      do throws(Qcow2Error) {
        let entry: L2Entry
        do throws(Qcow2Error) {
          entry = try L2Entry(index, of: words[...], image.header)
        } catch {
          throw .corrupt(error.message, at: table)
        }
        guard let place = L2EntryPlace(entry, geometry) else { continue }
        try check(place)
        guard !isEncrypted else { continue }
        if place.use == .compressedData {
          let guest = start + UInt64(index) << UInt64(geometry.clusterBits)
          try inflate(place, GuestOffset(guest))
        } else if case .data = ClusterMapping(entry.word, geometry) {
          let cluster = geometry.cluster(at: place.offset)
          if read.note(.guestCluster, of: cluster) == nil { waiting.append((index, cluster)) }
        }
      } catch {
        found.flaws[index] = Self.text(error)
      }
    }
    return waiting
  }

  /// Refuses a place beyond the end of the file, or on a structure.
  private func check(_ place: L2EntryPlace) throws(Qcow2Error) {
    guard
      let clusters = read.clusters(
        at: place.offset, byteCount: UInt64(place.byteCount), geometry)
    else {
      throw .corrupt(
        "its \(place.noun) at host offset \(place.offset) reaches beyond the end of the file")
    }
    for cluster in clusters.lazy.map(HostCluster.init) {
      guard let other = structures[cluster] else { continue }
      throw .corrupt(
        "its \(place.noun) lies on \(other.name) at host offset \(geometry.offset(of: cluster))")
    }
  }

  private mutating func inflate(
    _ place: L2EntryPlace, _ guest: GuestOffset
  ) throws(Qcow2Error) {
    let image = self.image
    var span = buffer.mutableSpan
    try span.withUnsafeMutableBytes { (bytes) throws(Qcow2Error) in
      try image.inflate(
        at: place.offset, byteCount: place.byteCount, guest: guest,
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<image.clusterSize]))
    }
  }

  /// Reads clusters, neighbours together; where that fails, each by itself.
  private mutating func readClusters(
    _ clusters: [(index: Int, cluster: HostCluster)], _ found: inout ScannedTable
  ) throws {
    let atOnce = buffer.count / geometry.clusterSize
    var next = 0
    while next < clusters.count {
      let first = clusters[next].cluster
      var count = 1
      while count < atOnce, next + count < clusters.count,
        clusters[next + count].cluster.index == first.index + count
      { count += 1 }
      if (try? readRun(HostRun(first: first, count: count))) == nil {
        for (index, cluster) in clusters[next..<next + count] {
          do throws(Qcow2Error) {
            try readRun(HostRun(first: cluster, count: 1))
          } catch {
            found.flaws[index] = Self.text(error)
          }
        }
      }
      try checkpoint(Int64(count << geometry.clusterBits))
      next += count
    }
  }

  private mutating func readRun(_ run: HostRun) throws(Qcow2Error) {
    let (file, offset) = (image.file, Int64(geometry.offset(of: run.first).bytes))
    let byteCount = run.count << geometry.clusterBits
    guard file.hasData(at: offset, byteCount: byteCount) else { return }
    var span = buffer.mutableSpan
    try span.withUnsafeMutableBytes { (bytes) throws(Qcow2Error) in
      try file.readZeroPadded(
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<byteCount]), at: offset)
    }
  }
}
