/// An image on which everything of a change is written but the first sector.
///
/// Whoever holds it holds the image's write locks. It wrote into clusters only that are free in the old and in
/// the new state: let go of, it leaves the image as it was, with some garbage in free clusters.
public struct PreparedImage: Sendable {
  /// The image as it was before.
  public let image: Image
  /// Bytes that prepare wrote.
  public let bytesWritten: Int64
  /// Bytes of clusters that nothing needs any more; what was only written anew in another place is not
  /// among them.
  public let bytesFreed: Int64
  /// The snapshots that the image has afterwards, in table order.
  public let snapshots: [Snapshot]
  /// Whether everything that prepare wrote is durable already: so it is where there was much of it, so that the
  /// time between fence and publish stays short.
  public let isDurable: Bool

  private let areaAfter: HeaderArea
  private let lengthBefore: Int64
  private let lengthAfter: Int64
  private let writtenRuns: [HostRun]
  private let freedRuns: [HostRun]

  /// From this much on what prepare writes is made durable at once.
  private static let bigByteCount: Int64 = 4 << 20

  /// Writes everything new into free clusters.
  init(_ draft: ImageDraft, _ checkpoint: @escaping Checkpoint) throws {
    image = draft.image
    snapshots = draft.snapshots
    lengthBefore = image.fileLength
    var writer = DraftWriter(draft, image: image, checkpoint: checkpoint)
    do {
      var area = image.area
      area.header = try writer.write()
      area.header.autoclear.formIntersection(.known)
      area.extensions = writer.extensions
      if draft.recount != nil, !area.header.autoclear.contains(.bitmaps) {
        // Another program has outdated the bitmaps: nobody counted their clusters.
        area.extensions.removeAll { $0.type == HeaderExtension.bitmaps }
      }
      areaAfter = area
      isDurable = writer.byteCount >= Self.bigByteCount
      if isDurable { try image.file.synchronize() }
      // The room that the sectors need does not depend on whose they are.
      _ = try Self.sectors(
        image, areaAfter,
        FenceMark(commit: CommitID(), catalog: CatalogID(), member: 0, memberCount: 1))
    } catch {
      try Self.undo(image, lengthBefore, writer.writtenRuns, because: error)
      throw error
    }
    let geometry = image.geometry
    bytesWritten = writer.byteCount
    writtenRuns = writer.writtenRuns
    freedRuns = writer.refcounts.freedRuns(below: geometry.clusterCount(fileLength: lengthBefore))
    bytesFreed = draft.freedByteCount
    // A tail that was counted as free may hold what somebody still wants back: it stays.
    let end = Int64(writer.refcounts.end) << Int64(geometry.clusterBits)
    let isTailCounted =
      writer.refcounts.loadedEnd >= geometry.clusterCount(fileLength: lengthBefore)
    lengthAfter = isTailCounted ? end : max(end, lengthBefore)
  }

  /// The first sectors of the image in one commit.
  ///
  /// - Parameter mark: which commit, and which of its images this one is.
  /// - Returns: the sectors.
  /// - Throws: ``Qcow2Error`` (noRoom); prepare has seen to it that there is room.
  public func sectors(_ mark: FenceMark) throws(Qcow2Error) -> CommitSectors {
    do { return try Self.sectors(image, areaAfter, mark) } catch { throw error.in(image.path) }
  }

  private static func sectors(
    _ image: Image, _ areaAfter: HeaderArea, _ mark: FenceMark
  ) throws(Qcow2Error) -> CommitSectors {
    let cluster = image.cluster
    let snapjob = SnapjobMark(following: image.mark, commit: mark.commit, catalog: mark.catalog)
    let after = try FirstSector(encoding: areaAfter, mark: snapjob, cluster: cluster)
    var afterFenced: FirstSector?
    if mark.memberCount == 1 {
      let area = try HeaderArea(decoding: after.bytes + cluster.dropFirst(FirstSector.byteCount))
      afterFenced = try FirstSector(fencing: area, mark, cluster: cluster)
    }
    return CommitSectors(
      before: FirstSector(onDisk: image.firstSector),
      fenced: try FirstSector(fencing: image.area, mark, cluster: cluster), after: after,
      afterFenced: afterFenced)
  }

  /// Makes durable what prepare has written.
  public func synchronize() throws(Qcow2Error) { try image.sectorFile.synchronize() }

  /// Durably switches the image to its new state, in nobody's catalog: a power loss or a failed fsync leaves
  /// it old or new, and nobody to tell.
  ///
  /// - Parameters:
  ///   - commit: a fresh id.
  ///   - catalog: whose commit it is.
  /// - Throws: ``Qcow2Error``; the image is old then, or new.
  public func publish(
    commit: CommitID = CommitID(), catalog: CatalogID = CatalogID()
  ) throws(Qcow2Error) {
    let sectors = try sectors(
      FenceMark(commit: commit, catalog: catalog, member: 0, memberCount: 1))
    try synchronize()
    try image.sectorFile.write(sectors.after)
    try synchronize()
  }

  /// Gives the space that the old state used back to the filesystem.
  ///
  /// A change that frees no more than it wrote, as a save does, leaves the old places in the file: the next
  /// change writes there, and the file does not grow.
  ///
  /// Only once the new first sector is durable: from then on nobody goes back.
  ///
  /// - Returns: bytes given back.
  @discardableResult public func finish() throws(Qcow2Error) -> Int64 {
    let clusterCount = freedRuns.reduce(0) { $0 + Int64($1.count) }
    let isWorthwhile = clusterCount << Int64(image.geometry.clusterBits) > bytesWritten
    try image.giveBack(isWorthwhile ? freedRuns : [], length: lengthAfter)
    return isWorthwhile ? bytesFreed : 0
  }

  /// Gives the space that prepare has written to back. If this throws, the image is as it was but for garbage
  /// in free clusters.
  public func undo() throws(Qcow2Error) { try image.giveBack(writtenRuns, length: lengthBefore) }

  private static func undo(
    _ image: Image, _ length: Int64, _ runs: [HostRun], because error: any Error
  ) throws {
    do {
      try image.giveBack(runs, length: length)
    } catch let second {
      throw Qcow2Error(
        (error as? Qcow2Error)?.code ?? .io,
        "\(error); the space that was written to could not be given back as well: \(second); the image is "
          + "as it was", path: image.path)
    }
  }
}

extension ImageDraft {
  /// Writes everything that is new; the image itself stays as it was.
  ///
  /// - Parameter checkpoint: told of progress; what it throws ends the work.
  /// - Returns: the image, ready for its new first sector.
  /// - Throws: ``Qcow2Error`` with the path, or what the checkpoint throws. Everything is undone then.
  /// - Precondition: ``settle(_:)`` has been called.
  public func prepare(_ checkpoint: @escaping Checkpoint) throws -> PreparedImage {
    precondition(isSettled, "a draft is settled before it is prepared")
    do {
      return try PreparedImage(self, checkpoint)
    } catch let error as Qcow2Error {
      throw error.in(image.path)
    }
  }
}

extension Image {
  /// The first sector, through the same file and under the same locks.
  public var sectorFile: SectorFile { SectorFile(file, lock) }

  /// Gives clusters that nothing refers to back to the filesystem, and cuts the file to a length.
  func giveBack(_ runs: [HostRun], length: Int64) throws(Qcow2Error) {
    do {
      if !file.isBlockDevice, try file.length() > length { try file.setLength(length) }
      let size = Int64(clusterSize)
      for run in runs {
        let start = Int64(run.first.index) * size
        let end = min(start + Int64(run.count) * size, length)
        guard start < end else { continue }
        guard try file.punchHole(at: start, length: end - start) else { return }
      }
    } catch let error {
      throw error.in(path)
    }
  }
}
