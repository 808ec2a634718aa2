/// Verifies an image state by state: every byte can be read, and lies where nothing else does.
///
/// What several states share is read once.
public struct ImageVerification {
  private let image: Image
  private let structures: StructurePlaces
  private let withDigests: Bool
  private let checkpoint: Checkpoint
  private var scan: ContentScan
  private var placement: TreePlacement
  private var digests: [DigestKey: String] = [:]
  /// Bytes of the L1 tables that were read.
  private var l1ByteCount: Int64 = 0

  /// What a disk's digest follows from.
  private struct DigestKey: Hashable {
    let l1: [UInt64]
    let size: UInt64
  }

  /// Finds the image's structures.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - withDigests: whether the SHA-256 of each state is worked out: that takes as long as the disk is large,
  ///     however little is in the file.
  ///   - checkpoint: told the bytes of the file that were read, and those of the disk that were digested; what it
  ///     throws ends the work.
  /// - Throws: ``Qcow2Error`` with the path if the file is too large or its header's extensions are not
  ///   valid.
  public init(
    _ image: Image, withDigests: Bool = true, _ checkpoint: @escaping Checkpoint = { _ in }
  ) throws(Qcow2Error) {
    self.image = image
    self.withDigests = withDigests
    self.checkpoint = checkpoint
    do throws(Qcow2Error) {
      structures = try StructurePlaces(image)
      scan = try ContentScan(image, structures: structures.uses, checkpoint)
    } catch {
      throw error.in(image.path)
    }
    placement = TreePlacement(image, structures: structures.uses)
  }

  /// What is wrong with the places of the image's own structures, as sentences.
  public var structureProblems: [String] { structures.problems }

  /// Whether data are encrypted and therefore not read.
  public var isEncrypted: Bool { image.header.cryptMethod != 0 }

  /// The name of the backing file, which is never opened; nil if there is none.
  public var backingFileName: String? {
    image.area.backingFileName.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Reads one state to its end.
  ///
  /// - Parameter position: the snapshot's in ``Image/snapshots``; nil for the active state.
  /// - Returns: what was found; what cannot be read is among the problems.
  /// - Throws: what the checkpoint throws.
  public mutating func readState(snapshot position: Int?) throws -> StateReport {
    let entry = position.map { image.table.entries[$0] }
    var report = StateReport(size: entry?.diskSize ?? image.header.size)
    var problems = ContentProblems()
    let l1: [UInt64]
    do throws(Qcow2Error) {
      l1ByteCount += Int64(entry?.l1Size ?? image.header.l1Size) * 8
      guard l1ByteCount <= image.fileLength + Int64(Limits.spareL1ByteCount) else {
        throw .overLimit("not read: the L1 tables claim more than the file has")
      }
      let words = if let entry { try image.readL1(of: entry) } else { try image.readActiveL1() }
      l1 = words.map { $0 & TableEntry.offsetMask }
    } catch {
      report.problems = [ContentProblem(range: 0..<report.size, text: error.description)]
      report.problemCount = 1
      return report
    }
    let doubles = try placement.move(to: l1) { [scan, checkpoint] table in
      var scan = scan
      try checkpoint(0)
      return try? scan.words(of: table)
    }
    report.usesClustersTwice = doubles.count > 0
    problems.append(doubles)
    try readTables(l1, entry, &report, &problems)
    report.problems = problems.list
    report.problemCount = problems.count
    if withDigests, problems.count == 0, report.bytesRead == report.size {
      report.digest = try digest(l1, size: report.size)
    }
    return report
  }

  /// Reads all that an L1 table leads to, and counts what its disk and its VM state have.
  private mutating func readTables(
    _ l1: [UInt64], _ entry: SnapshotEntry?, _ report: inout StateReport,
    _ problems: inout ContentProblems
  ) throws {
    let coverage = UInt64(1) << UInt64(image.geometry.l2CoverageBits)
    // What lies beyond the tables cannot be there.
    let readable = min(report.size, UInt64(l1.count) << UInt64(image.geometry.l2CoverageBits))
    let diskCount = Int(image.geometry.l1EntryCount(diskSize: readable))
    let vmState = vmStateArea(of: entry, l1, &problems, diskSize: report.size)
    var disk = ScannedTable.Counts()
    var state = ScannedTable.Counts()
    for index in l1.indices {
      let start = UInt64(index) << UInt64(image.geometry.l2CoverageBits)
      if index < diskCount {
        let limit = min(coverage, readable - start)
        disk += try read(l1[index], from: start, below: limit, &problems)
      } else if let vmState, index >= vmState.firstEntry,
        index < vmState.firstEntry + vmState.tables.count
      {
        let done = UInt64(index - vmState.firstEntry) << UInt64(image.geometry.l2CoverageBits)
        let limit = min(coverage, vmState.byteCount - done)
        state += try read(l1[index], from: start, below: limit, &problems)
      } else if l1[index] != 0 {
        _ = try read(l1[index], from: start, below: coverage, &problems)
      }
    }
    if readable < report.size {
      problems.note("the L1 table is too small for the disk", readable..<report.size)
    }
    report.bytesFromBackingFile = backingFileName == nil ? 0 : disk.unallocated
    report.bytesEncrypted = isEncrypted ? disk.stored : 0
    report.bytesRead = disk.total - report.bytesFromBackingFile - report.bytesEncrypted
    report.vmStateBytesRead = state.total - (isEncrypted ? state.stored : 0)
  }

  /// Where a snapshot keeps its VM state; nil if it has none, or it cannot be there.
  private func vmStateArea(
    of entry: SnapshotEntry?, _ l1: [UInt64], _ problems: inout ContentProblems, diskSize: UInt64
  ) -> VMStateArea? {
    guard let entry, entry.vmStateSize > 0 else { return nil }
    do throws(Qcow2Error) {
      return try VMStateArea(
        of: entry, l1: l1, currentDiskSize: image.header.size, image.geometry)
    } catch {
      problems.note(error.message, diskSize..<diskSize)
      return nil
    }
  }

  /// Reads what one entry of an L1 table leads to.
  ///
  /// - Returns: the bytes that could be read or need not, up to a limit.
  private mutating func read(
    _ table: UInt64, from start: UInt64, below limit: UInt64, _ problems: inout ContentProblems
  ) throws -> ScannedTable.Counts {
    guard table != 0 else { return ScannedTable.Counts(unallocated: limit) }
    let found = try scan.scan(table, from: start)
    found.note(in: &problems, from: start, below: limit, image.geometry)
    guard found.failure == nil else { return ScannedTable.Counts() }
    if limit == UInt64(1) << UInt64(image.geometry.l2CoverageBits) { return found.counts }
    return found.counts(of: try scan.words(of: table), image.header, below: limit)
  }

  /// The SHA-256 of a sound disk; that of equal trees is worked out once.
  private mutating func digest(_ l1: [UInt64], size: UInt64) throws -> String {
    let count = Int(clamping: image.geometry.l1EntryCount(diskSize: size))
    let key = DigestKey(l1: Array(l1.prefix(count)), size: size)
    if let known = digests[key] { return known }
    var reader = GuestReader(mapping: image, l1: key.l1, size: size, hasBackingFile: false)
    let digest = try reader.digest(checkpoint)
    digests[key] = digest
    return digest
  }
}

extension ScannedTable.Counts {
  /// All bytes.
  fileprivate var total: UInt64 { stored + zeros + unallocated }

  fileprivate static func += (left: inout Self, right: Self) {
    left.stored += right.stored
    left.zeros += right.zeros
    left.unallocated += right.unallocated
  }
}
