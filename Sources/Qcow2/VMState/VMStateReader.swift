/// Where VM state comes from that is written into an image.
public protocol VMStateSource: Sendable {
  /// Bytes of the whole state.
  var byteCount: UInt64 { get }

  /// Reads from an offset until the buffer is full or the state ends.
  ///
  /// - Parameters:
  ///   - buffer: its first bytes receive what was read.
  ///   - offset: in bytes from the state's first.
  /// - Returns: the number of bytes read; less than the buffer's size only at the end.
  /// - Throws: why it cannot be read.
  mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int
}

/// Reads the VM state that a snapshot keeps, at any offset; the bytes are a QEVM stream where QEMU wrote them.
///
/// Used by one thread. Takes the memory of one L2 table and of one cluster, however long the state is.
public struct VMStateReader: VMStateSource {
  /// Bytes of the state; at least 1.
  public var byteCount: UInt64 { reader.size }

  private let snapshotName: String
  private let path: String
  private var reader: GuestReader

  /// Finds a snapshot's state.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - position: the snapshot's position in ``Image/snapshots``.
  /// - Throws: ``Qcow2Error`` with the path: notFound if the snapshot is disk-only, unsupported if the image
  ///   is encrypted, corrupt if the state cannot be where the snapshot's entry says.
  public init(_ image: Image, snapshot position: Int) throws(Qcow2Error) {
    let entry = image.table.entries[position]
    snapshotName = String(decoding: entry.name, as: UTF8.self)
    path = image.path
    do throws(Qcow2Error) {
      guard entry.vmStateSize > 0 else {
        throw .notFound("the snapshot '\(snapshotName)' is of the disk only; it has no VM state")
      }
      guard image.header.cryptMethod == 0 else {
        throw .unsupported(
          "the image is encrypted, and so is the VM state in it; it cannot be read without the key")
      }
      let area = try VMStateArea(
        of: entry, l1: try image.readL1(of: entry), currentDiskSize: image.header.size,
        image.geometry)
      reader = GuestReader(vmState: image, area)
    } catch {
      throw Self.placed(error, snapshotName, path)
    }
  }

  /// Reads from an offset until the buffer is full or the state ends.
  public mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int {
    guard offset < byteCount else { return 0 }
    let count = Int(min(UInt64(buffer.count), byteCount - offset))
    do throws(Qcow2Error) {
      try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
    } catch {
      throw Self.placed(error, snapshotName, path)
    }
    return count
  }

  /// Says whose state a failure is about.
  private static func placed(_ error: Qcow2Error, _ name: String, _ path: String) -> Qcow2Error {
    guard error.code == .corrupt || error.code == .malformed else { return error.in(path) }
    return Qcow2Error(
      error.code, "VM state of snapshot '\(name)': \(error.message)", path: path,
      offset: error.offset, cause: error.cause)
  }
}

extension GuestReader {
  /// Reads VM state: offsets count from its first byte, and what has no cluster is zeros, whatever backing
  /// file the disk has.
  init(vmState image: Image, _ area: VMStateArea) {
    self.init(mapping: image, l1: area.tables, size: area.byteCount, hasBackingFile: false)
  }
}
