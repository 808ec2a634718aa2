/// The first sector of an image, read and written without a look at the rest: what recovery works on, and the
/// commit of images that are open.
public final class SectorFile: Sendable {
  private let file: any ImageFile
  private let lock: ImageLock

  /// The path as it was opened.
  public var path: String { file.path }
  /// What tells the file from others now.
  public var identity: FileIdentity { file.identity }

  init(_ file: any ImageFile, _ lock: ImageLock) {
    self.file = file
    self.lock = lock
  }

  /// Opens an image's file, whatever is in it.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - mode: `write` holds QEMU's write locks as long as this value lives, `peek` no lock.
  ///   - access: where files come from.
  /// - Throws: ``Qcow2Error`` with the path.
  public convenience init(
    opening path: String, _ mode: ImageLock.Mode, access: any FileAccess = PosixFileAccess()
  ) throws(Qcow2Error) {
    do {
      let file = try access.open(path, mode == .write ? .readWrite : .read)
      self.init(file, try ImageLock.acquire(mode, on: file))
    } catch let error {
      throw error.in(path)
    }
  }

  /// The sector as it is now; nil if the file is shorter.
  public func read() throws(Qcow2Error) -> FirstSector? {
    do {
      guard try file.length() >= Int64(FirstSector.byteCount) else { return nil }
      return FirstSector(onDisk: try file.read(byteCount: FirstSector.byteCount, at: 0))
    } catch let error {
      throw error.in(path)
    }
  }

  /// Writes the sector; durable only after ``synchronize()``.
  ///
  /// If it throws, the file has either sector.
  public func write(_ sector: FirstSector) throws(Qcow2Error) {
    do { try file.write(sector.bytes, at: 0) } catch { throw error.in(path) }
  }

  /// Refuses a file whose filesystem may have no room for writing its first sector anew.
  ///
  /// - Throws: ``Qcow2Error`` (noSpace).
  public func checkRoomForRewrite() throws(Qcow2Error) {
    guard try file.hasRoomForRewrite() else {
      throw Qcow2Error(
        .noSpace,
        "its filesystem copies what is written over, and has no room for that. Free space on it, then try "
          + "again", path: path)
    }
  }

  /// Makes everything durable that was written to the file.
  ///
  /// If it throws, nobody knows what is on the disk: the page cache shows what was written, and another call
  /// succeeds without having written anything.
  public func synchronize() throws(Qcow2Error) {
    do { try file.synchronize() } catch { throw error.in(path) }
  }

  /// The sector of before the fence that the image has, built out of the fence itself.
  ///
  /// - Throws: ``Qcow2Error`` (notFound) if it has no fence.
  public func unfenced() throws(Qcow2Error) -> FirstSector {
    do throws(Qcow2Error) {
      guard let sector = try read() else { throw Qcow2Error.notQcow2("the file is too short") }
      if sector.fence == nil, let plain = sector.withoutMarkedFence { return plain }
      let clusterBits = try Header(decodingStart: sector.bytes).clusterBits
      let cluster = try file.readZeroPadded(
        byteCount: max(1 << Int(clusterBits), FirstSector.byteCount), at: 0)
      let area = try HeaderArea(unfencing: cluster)
      return try FirstSector(encoding: area, mark: area.mark, cluster: cluster)
    } catch let error {
      throw error.in(path)
    }
  }

  /// Length and time of modification of the file now; nil of a block device, which has none.
  public func stamp() throws(Qcow2Error) -> FileStamp? {
    do { return file.isBlockDevice ? nil : try file.stamp() } catch { throw error.in(path) }
  }

  /// Lets go of the lock before the last reference is gone.
  public func unlock() { lock.release() }
}
