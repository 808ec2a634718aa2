/// Verifies an image state by state: every byte can be read, and lies where nothing else does.
public struct ImageVerification {
  private let image: Image
  private let structures: StructurePlaces

  /// Finds the image's structures.
  ///
  /// - Throws: ``Qcow2Error`` with the path if the file is too large or its header's extensions are not
  ///   valid.
  public init(_ image: Image) throws(Qcow2Error) {
    self.image = image
    do { structures = try StructurePlaces(image) } catch { throw error.in(image.path) }
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
  /// - Parameters:
  ///   - position: the snapshot's in ``Image/snapshots``; nil for the active state.
  ///   - progress: told the bytes that were gone through.
  /// - Returns: what was found; what cannot be read is among the problems.
  /// - Throws: ``Qcow2Error`` (overLimit) if the file is too large.
  public func readState(
    snapshot position: Int?, progress: (UInt64) -> Void = { _ in }
  ) throws(Qcow2Error) -> StateReport {
    let entry = position.map { image.table.entries[$0] }
    var report = StateReport(size: entry?.diskSize ?? image.header.size)
    var problems = ContentProblems()
    let l1: [UInt64]
    do throws(Qcow2Error) {
      if let entry { l1 = try image.readL1(of: entry) } else { l1 = try image.readActiveL1() }
    } catch {
      report.problems = [ContentProblem(range: 0..<report.size, text: error.description)]
      report.problemCount = 1
      return report
    }
    var placement = try TreePlacement(image, structures: structures.uses)
    placement.check(l1: l1)
    problems.append(placement.problems)

    // What lies beyond the tables cannot be there; a damaged size would take years to read.
    let readable = min(report.size, UInt64(l1.count) << UInt64(image.geometry.l2CoverageBits))
    let disk = StateScan(
      GuestReader(
        mapping: image, l1: l1, size: readable, hasBackingFile: image.area.backingFileName != nil),
      .disk, isEncrypted: isEncrypted, progress)
    problems.append(disk.problems)
    if readable < report.size {
      problems.note("the L1 table is too small for the disk", readable..<report.size)
    }
    if let entry, entry.vmStateSize > 0 {
      report.vmStateBytesRead = readVMState(
        of: entry, l1, diskSize: report.size, &problems, progress)
    }
    report.bytesRead = disk.bytesRead
    report.bytesFromBackingFile = disk.bytesFromBackingFile
    report.bytesEncrypted = disk.bytesEncrypted
    report.problems = problems.list
    report.problemCount = problems.count
    report.digest = problems.count == 0 ? disk.digest : nil
    return report
  }

  /// Reads a snapshot's VM state, which lies behind all that the disk's L1 entries stand for.
  ///
  /// - Returns: the bytes that were read.
  private func readVMState(
    of entry: SnapshotEntry, _ l1: [UInt64], diskSize: UInt64, _ problems: inout ContentProblems,
    _ progress: (UInt64) -> Void
  ) -> UInt64 {
    let area: VMStateArea
    do throws(Qcow2Error) {
      area = try VMStateArea(
        of: entry, l1: l1, currentDiskSize: image.header.size, image.geometry)
    } catch {
      problems.note(error.message, diskSize..<diskSize)
      return 0
    }
    let scan = StateScan(
      GuestReader(vmState: image, area), .vmState, isEncrypted: isEncrypted, progress)
    problems.append(
      scan.problems, movedBy: UInt64(area.firstEntry) << UInt64(image.geometry.l2CoverageBits))
    return scan.bytesRead
  }
}
