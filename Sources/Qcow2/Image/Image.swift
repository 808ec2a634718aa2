private import Glibc

/// One qcow2 image, opened and checked as far as its first cluster and its snapshot table go.
///
/// An image does not change while this value lives, except through ``PreparedImage``; whoever opened
/// it for ``Purpose/change`` holds QEMU's write locks until the last reference is gone.
public final class Image: Sendable {
  /// What an image is opened for.
  public enum Purpose: Sendable, Hashable {
    /// A short look that tolerates writers: no guarantee beyond the moment.
    case peek
    /// Reading content that must not change meanwhile.
    case read
    /// Changing it.
    case change
    /// Checking: as ``read``, whatever state the image is in.
    case check
    /// Repairing: as ``check``, and changing it.
    case repair

    fileprivate var lockMode: ImageLock.Mode {
      switch self {
      case .peek: .peek
      case .read, .check: .read
      case .change, .repair: .write
      }
    }

    /// Whether what is wrong in the image is a finding, and no reason to refuse it.
    fileprivate var toleratesDamage: Bool { self == .check || self == .repair }
  }

  /// What it was opened for.
  let purpose: Purpose
  /// The file.
  let file: any ImageFile
  /// What keeps others away; held as long as this image lives.
  let lock: ImageLock
  /// Header, extensions and backing file name.
  let area: HeaderArea
  /// Cluster 0 as it is on disk (shorter if the file is).
  let cluster: [UInt8]
  /// The snapshot table.
  let table: SnapshotTable
  /// The directory of persistent bitmaps.
  let bitmapEntries: [BitmapDirectoryEntry]
  /// The directory that another program has outdated, as far as it can still be read.
  let outdatedBitmapEntries: [BitmapDirectoryEntry]
  /// Bytes of the file when it was opened.
  let fileLength: Int64

  private init(
    purpose: Purpose, file: any ImageFile, lock: ImageLock, area: HeaderArea, cluster: [UInt8],
    table: SnapshotTable, bitmapEntries: [BitmapDirectoryEntry],
    outdatedBitmapEntries: [BitmapDirectoryEntry], fileLength: Int64
  ) {
    self.purpose = purpose
    self.file = file
    self.lock = lock
    self.area = area
    self.cluster = cluster
    self.table = table
    self.bitmapEntries = bitmapEntries
    self.outdatedBitmapEntries = outdatedBitmapEntries
    self.fileLength = fileLength
  }

  var geometry: ClusterGeometry { area.header.geometry }
  var header: Header { area.header }

  /// The path as it was opened.
  public var path: String { file.path }
  /// What tells the file from others within this boot.
  public var identity: FileIdentity { file.identity }
  /// 2 or 3.
  public var version: UInt32 { header.version }
  /// The disk's size in bytes.
  public var virtualSize: UInt64 { header.size }
  /// Bytes of the file when it was opened.
  public var fileByteCount: Int64 { fileLength }
  /// Bytes in a cluster.
  public var clusterSize: Int { geometry.clusterSize }
  /// The snapshots in table order.
  public var snapshots: [Snapshot] {
    table.entries.map { $0.summary(currentDiskSize: header.size) }
  }
  /// snapjob's mark in the first sector; nil if no snapjob has written the image.
  public var mark: SnapjobMark? { area.mark }
  /// The commit that wrote the image last; nil if no snapjob has.
  public var lastCommit: CommitID? { mark?.last }
  /// Whether it has the marker bit of an earlier snapjob: `qemu-img check -r` deletes its snapshots as long as
  /// it has. It goes as soon as this snapjob has the image's write locks.
  public var hasMarker: Bool { header.autoclear.contains(.marker) }
  /// Whether it lies on a block device.
  public var isBlockDevice: Bool { file.isBlockDevice }

  /// Lets go of the locks before the last reference is gone.
  public func unlock() { lock.release() }

  /// The first 512 bytes.
  public var firstSector: [UInt8] {
    Array(cluster.prefix(FirstSector.byteCount))
  }
}

extension Image {
  /// How often a peek is repeated when the image changes meanwhile.
  private static var peekAttempts: Int { 8 }
  /// So long a fence may stay before whoever reads gives up: mostly a process is about to take it away.
  private static var fencePatience: Duration { .seconds(1) }

  /// Opens an image.
  ///
  /// - Parameters:
  ///   - path: the file; nothing that the image names is opened.
  ///   - purpose: decides on locks and on what is let in.
  ///   - access: where files come from.
  ///   - patience: how long to wait while another program holds the image.
  ///   - onWait: told once, while waiting, who holds it.
  ///   - isCancelled: asked while waiting; true ends the wait.
  /// - Returns: the image; it holds its locks.
  /// - Throws: ``Qcow2Error`` with the path.
  public static func open(
    _ path: String, for purpose: Purpose, access: any FileAccess = PosixFileAccess(),
    patience: Duration = .zero, onWait: (String) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws(Qcow2Error) -> Image {
    let end = ContinuousClock.now + (purpose.lockMode == .write ? .zero : fencePatience)
    while true {
      do throws(Qcow2Error) {
        return try openOnce(
          path, for: purpose, access: access, patience: patience, onWait: onWait,
          isCancelled: isCancelled)
      } catch {
        guard error.code == .commitPending, ContinuousClock.now < end, !isCancelled() else {
          throw error
        }
        usleep(20_000)
      }
    }
  }

  private static func openOnce(
    _ path: String, for purpose: Purpose, access: any FileAccess, patience: Duration,
    onWait: (String) -> Void, isCancelled: () -> Bool
  ) throws(Qcow2Error) -> Image {
    do {
      let file = try access.open(path, purpose.lockMode == .write ? .readWrite : .read)
      let lock = try ImageLock.acquire(
        purpose.lockMode, on: file, patience: patience,
        notice: { onWait($0.description) }, isCancelled: isCancelled)
      if purpose.lockMode == .write { try removeMarker(file) }
      guard purpose == .peek else { return try load(file, lock, for: purpose) }
      return try peek(file, lock)
    } catch let error {
      throw error.in(path)
    }
  }

  /// Takes away the marker bit of an earlier snapjob, before anything else is done with the image.
  private static func removeMarker(_ file: any ImageFile) throws(Qcow2Error) {
    let sector = FirstSector(
      onDisk: try file.readZeroPadded(byteCount: FirstSector.byteCount, at: 0))
    guard let clean = sector.withoutMarker else { return }
    try file.write(clean.bytes, at: 0)
    try file.synchronize()
  }

  /// Reads until the first sector is the same before and after.
  private static func peek(_ file: any ImageFile, _ lock: ImageLock) throws(Qcow2Error) -> Image {
    var failure: Qcow2Error?
    for _ in 0..<peekAttempts {
      let image: Image
      do {
        image = try load(file, lock, for: .peek)
      } catch let error {
        // A writer may have been in the middle of a change: look again.
        if error.code == .commitPending { throw error }
        failure = error
        continue
      }
      let sector = try file.readZeroPadded(byteCount: FirstSector.byteCount, at: 0)
      if sector == image.firstSector { return image }
      failure = Qcow2Error(.inUse, "the image keeps changing while it is read; try again")
    }
    throw failure ?? .malformed("the image cannot be read")
  }

  /// The same image read anew through the same file and under the same locks.
  func reloaded() throws(Qcow2Error) -> Image {
    do { return try Self.load(file, lock, for: purpose) } catch { throw error.in(path) }
  }

  private static func load(
    _ file: any ImageFile, _ lock: ImageLock, for purpose: Purpose
  ) throws(Qcow2Error) -> Image {
    let fileLength = try file.length()
    let start = try file.readZeroPadded(byteCount: FirstSector.byteCount, at: 0)
    guard fileLength >= Header.version2ByteCount else {
      throw Qcow2Error(
        .notQcow2,
        (fileLength == 0 ? "the file is empty" : "the file is too short for a qcow2 image")
          + "; check the path", advice: .create)
    }
    if let fence = FirstSector(onDisk: start).fenceMark {
      throw .commitPending(fence, path: file.path)
    }
    let header = try Header(decodingStart: start)
    guard !header.incompatible.contains(.commitPending) else {
      throw .conflict(
        "a commit is pending on it, but its fence cannot be read: it is of a later snapjob, or damaged. Recover "
          + "with the version and the catalog that made it")
    }
    let clusterSize = 1 << Int(header.clusterBits)
    let cluster = try file.readZeroPadded(byteCount: max(clusterSize, start.count), at: 0)
    let area = try HeaderArea(decoding: cluster)
    try area.checkIncompatibleFeatures()
    try admit(area, for: purpose)
    try area.checkExtensions()
    _ = try area.luksHeader()
    let table = try readSnapshotTable(file, area.header, fileLength: fileLength, for: purpose)
    let bitmapEntries = try readBitmapDirectory(file, area, try area.bitmapsExtension())
    let image = Image(
      purpose: purpose, file: file, lock: lock, area: area, cluster: cluster, table: table,
      bitmapEntries: bitmapEntries,
      outdatedBitmapEntries: outdatedBitmapEntries(file, area), fileLength: fileLength)
    try image.checkEncryptionHeader()
    try image.checkBitmaps(readsTables: purpose != .peek)
    return image
  }

  /// Throws what opening the image for ``Purpose/change`` would throw because of its state.
  public func checkChangeable() throws(Qcow2Error) {
    do { try Self.admit(area, for: .change) } catch { throw error.in(path) }
  }

  /// Refuses images that the purpose cannot deal with.
  private static func admit(_ area: HeaderArea, for purpose: Purpose) throws(Qcow2Error) {
    let features = area.header.incompatible
    if features.contains(.externalDataFile) {
      throw .unsupported(
        "the image keeps its data in an external data file; such images have no internal snapshots")
    }
    // As in QEMU, a check goes on without one: every cluster in use is counted as free then.
    if area.header.refcountTableClusters == 0, !purpose.toleratesDamage {
      throw .malformed("Image does not contain a reference count table", at: 56)
    }
    if features.contains(.markedCommitPending) {
      throw Qcow2Error(
        .conflict, "a commit of an earlier snapjob is pending on it. Recover with that version",
        advice: .abandon)
    }
    if features.contains(.corrupt), purpose == .change {
      throw .corrupt("the image is marked corrupt", advice: .repair)
    }
  }

  /// Reads the snapshot table, whose length is known only at its end.
  ///
  /// A check goes on where it can, as qemu-img's does: behind the end of the file are zeros, and entries
  /// whose L1 table cannot be right are findings.
  private static func readSnapshotTable(
    _ file: any ImageFile, _ header: Header, fileLength: Int64, for purpose: Purpose
  ) throws(Qcow2Error) -> SnapshotTable {
    let count = Int(header.snapshotCount)
    guard count > 0 else { return SnapshotTable() }
    let offset = Int64(header.snapshotsOffset.bytes)
    let available =
      purpose.toleratesDamage ? Int64(Limits.snapshotTableByteCount) : fileLength - offset
    guard available > 0 else {
      throw .malformed("the snapshot table lies beyond the end of the file", at: 64)
    }
    var guess = max(64 << 10, count * 128)
    while true {
      let length = Int(min(Int64(guess), available))
      let bytes = try file.readZeroPadded(byteCount: length, at: offset)
      do {
        let table = try SnapshotTable(
          decoding: bytes, count: count, dropsExcessExtraData: purpose == .repair)
        if !purpose.toleratesDamage { try table.validate(header.geometry) }
        return table
      } catch let error as Qcow2Error {
        throw error
      } catch {
        guard Int64(length) < available, guess <= Limits.snapshotTableByteCount else {
          throw .malformed("the snapshot table ends beyond the end of the file", at: UInt64(offset))
        }
        guess *= 4
      }
    }
  }

  private static func readBitmapDirectory(
    _ file: any ImageFile, _ area: HeaderArea, _ ext: BitmapsExtension?
  ) throws(Qcow2Error) -> [BitmapDirectoryEntry] {
    guard let ext else { return [] }
    let bytes = try file.read(
      byteCount: Int(ext.directoryByteCount), at: Int64(ext.directoryOffset.bytes))
    return try BitmapDirectoryEntry.decodeDirectory(
      bytes, count: Int(ext.count), geometry: area.header.geometry)
  }

  /// What a program that does not know bitmaps has outdated: names and granularities are worth knowing as
  /// long as they are there and make sense.
  private static func outdatedBitmapEntries(
    _ file: any ImageFile, _ area: HeaderArea
  ) -> [BitmapDirectoryEntry] {
    guard
      let entries = try? readBitmapDirectory(file, area, area.outdatedBitmapsExtension),
      entries.allSatisfy({ $0.isSound(diskSize: 0, area.header.geometry) })
    else { return [] }
    return entries
  }
}
