/// An image on which everything of a change is durable but the first sector.
///
/// Whoever holds it holds the image's write locks. Exactly one of ``publish()`` (then ``finish()``) and
/// ``undo()`` is called, or neither: then the image stays as it was, with a mark and some garbage in free
/// clusters.
public struct PreparedImage: Sendable {
  /// The image as marked.
  public let image: Image
  /// The first 512 bytes as marked.
  public let before: [UInt8]
  /// The first 512 bytes that make the change true.
  public let after: [UInt8]
  /// Length and times of the file after prepare's fsync.
  public let stamp: FileStamp
  /// Bytes that prepare wrote.
  public let bytesWritten: Int64
  /// Bytes of clusters that nothing needs any more; what was only written anew in another place is not
  /// among them.
  public let bytesFreed: Int64

  /// The mark without the pending commit.
  private let unmarked: FirstSector
  private let lengthBefore: Int64
  private let lengthAfter: Int64
  private let writtenRuns: [HostRun]
  private let freedRuns: [HostRun]

  /// Marks the image, then writes everything new into free clusters and makes it durable.
  init(
    _ draft: ImageDraft, commit: CommitID, catalog: CatalogID, _ checkpoint: @escaping Checkpoint
  ) throws {
    let original = draft.image
    let old = original.area.marks
    unmarked = try original.firstSector(
      marks: Marks(last: old.last, pending: nil, catalog: catalog))
    let marked = try original.firstSector(
      marks: Marks(last: old.last, pending: commit, catalog: catalog))
    StopPoint.beforeMark.reach()
    lengthBefore = original.fileLength
    before = marked.bytes
    do {
      try original.writeFirstSector(marked.bytes)
      StopPoint.afterMark.reach()
      image = try original.reloaded()
    } catch {
      try Self.undo(original, unmarked, lengthBefore, [], because: error)
      throw error
    }
    var writer = DraftWriter(draft, image: image, checkpoint: checkpoint)
    do {
      var area = image.area
      area.header = try writer.write()
      area.extensions = writer.extensions
      if draft.recount != nil, !area.header.autoclear.contains(.bitmaps) {
        // Another program has outdated the bitmaps: nobody counted their clusters.
        area.extensions.removeAll { $0.type == HeaderExtension.bitmaps }
      }
      after = try FirstSector(
        encoding: area, marks: Marks(last: commit, pending: nil, catalog: catalog),
        cluster: image.cluster
      ).bytes
      try image.file.synchronize()
      stamp = try image.file.stamp()
    } catch {
      try Self.undo(image, unmarked, lengthBefore, writer.writtenRuns, because: error)
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

  /// Durably switches the image to its new state.
  public func publish() throws(Qcow2Error) { try image.writeFirstSector(after) }

  /// Gives the space that the old state used back to the filesystem.
  ///
  /// A change that frees no more than it wrote, as a save does, leaves the old places in the file: the next
  /// change writes there, and the file does not grow.
  ///
  /// Only once the commit record is done: from then on nobody goes back.
  ///
  /// - Returns: bytes given back.
  @discardableResult public func finish() throws(Qcow2Error) -> Int64 {
    let clusterCount = freedRuns.reduce(0) { $0 + Int64($1.count) }
    let isWorthwhile = clusterCount << Int64(image.geometry.clusterBits) > bytesWritten
    try image.giveBack(isWorthwhile ? freedRuns : [], length: lengthAfter)
    return isWorthwhile ? bytesFreed : 0
  }

  /// Takes everything back: the mark is written again without the pending commit, then space is given
  /// back. If this throws, the image is as it was but for a mark.
  public func undo() throws(Qcow2Error) {
    try image.writeFirstSector(unmarked.bytes)
    try image.giveBack(writtenRuns, length: lengthBefore)
  }

  private static func undo(
    _ image: Image, _ unmarked: FirstSector, _ length: Int64, _ runs: [HostRun],
    because error: any Error
  ) throws {
    do {
      try image.writeFirstSector(unmarked.bytes)
      try image.giveBack(runs, length: length)
    } catch let second {
      throw Qcow2Error(
        .io,
        "\(error); undoing it failed as well: \(second); the image is as it was but for a mark",
        path: image.path)
    }
  }
}

extension ImageDraft {
  /// Marks the image and writes everything that is new; the image itself stays as it was.
  ///
  /// - Parameters:
  ///   - commit: the fresh id of the commit that will publish it.
  ///   - catalog: the catalog that will keep the commit record.
  ///   - checkpoint: told of progress; what it throws ends the work.
  /// - Returns: the image, ready to be published.
  /// - Throws: ``Qcow2Error`` with the path, or what the checkpoint throws. Everything is undone then.
  /// - Precondition: ``settle(_:)`` has been called.
  public func prepare(
    commit: CommitID, catalog: CatalogID, _ checkpoint: @escaping Checkpoint
  ) throws -> PreparedImage {
    precondition(isSettled, "a draft is settled before it is prepared")
    do {
      return try PreparedImage(self, commit: commit, catalog: catalog, checkpoint)
    } catch let error as Qcow2Error {
      throw error.in(image.path)
    }
  }
}

extension Image {
  /// The first sector with other marks and nothing else changed. Unknown autoclear bits are cleared, as
  /// the specification asks of whoever writes.
  func firstSector(marks: Marks) throws(Qcow2Error) -> FirstSector {
    var area = self.area
    if header.version >= 3 {
      area.header.autoclear = header.autoclear.intersection(.known).union(.marker)
    }
    return try FirstSector(encoding: area, marks: marks, cluster: cluster)
  }

  /// Durably writes the first 512 bytes: the only write that changes what an image means.
  public func writeFirstSector(_ bytes: [UInt8]) throws(Qcow2Error) {
    do {
      try file.write(bytes, at: 0)
      try file.synchronize()
    } catch let error {
      throw error.in(path)
    }
  }

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
