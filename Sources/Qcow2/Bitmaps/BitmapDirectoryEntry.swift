internal import ByteCoding

/// One entry of the bitmap directory (qcow2 specification, "Bitmaps"), in disk order.
///
/// ```
/// byte  0  bitmap table offset, 8 bytes
///       8  bitmap table entries, 4 bytes
///      12  flags, 4 bytes
///      16  type, 1 byte: 1
///      17  granularity bits, 1 byte
///      18  name size, 2 bytes
///      20  extra data size, 4 bytes
///      24  extra data, name, zeros up to a multiple of 8
/// ```
struct BitmapDirectoryEntry: Sendable, Hashable {
  /// Where the bitmap table begins.
  var tableOffset: HostOffset
  /// Entries of the bitmap table.
  var tableSize: UInt32
  /// Bit 0 in use, bit 1 auto, bit 2 extra data compatible.
  var flags: UInt32
  /// log2 of the disk's bytes that one bit stands for.
  let granularityBits: UInt8
  /// The bitmap's name.
  let name: [UInt8]
  /// Bytes of extra data, which nobody has defined yet.
  var extraByteCount: UInt32 = 0

  /// A program records into the bitmap, or has been stopped while it did.
  static let inUseFlag: UInt32 = 1
  /// The bitmap records what the guest writes.
  static let autoFlag: UInt32 = 2
  /// Bytes of the fixed fields.
  static let fixedByteCount = 24

  /// Whether the flag of a bitmap that a program records into is set.
  var isInUse: Bool { flags & Self.inUseFlag != 0 }
  /// Whether the bitmap records.
  var isEnabled: Bool { flags & Self.autoFlag != 0 }
  /// The name as it can be shown.
  var printableName: String { String(decoding: name, as: UTF8.self) }

  /// Bytes of an entry with a name of this length, padding included.
  static func byteCount(nameByteCount: Int) -> Int { (fixedByteCount + nameByteCount + 7) / 8 * 8 }

  /// Whether the entry keeps QEMU's rules.
  ///
  /// - Parameters:
  ///   - diskSize: bytes of the disk, which a bitmap that is not in use must cover.
  ///   - geometry: the image's.
  /// - Returns: false for an entry with which QEMU does not open the image.
  func isSound(diskSize: UInt64, _ geometry: ClusterGeometry) -> Bool {
    let byteCount = UInt64(tableSize) << UInt64(geometry.clusterBits)
    guard tableSize <= BitmapLimits.tableEntryCount, byteCount <= BitmapLimits.byteCount,
      BitmapLimits.granularityBits.contains(granularityBits),
      flags & BitmapLimits.reservedFlags == 0, extraByteCount == 0,
      (1...BitmapLimits.nameByteCount).contains(name.count)
    else { return false }
    return isInUse || diskSize <= (byteCount * 8) << UInt64(granularityBits)
  }

  /// The entry's bytes, padding included; extra data is none.
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount(nameByteCount: name.count))
    writer.append(tableOffset.bytes)
    writer.append(tableSize)
    writer.append(flags)
    writer.append(UInt8(1))
    writer.append(granularityBits)
    writer.append(UInt16(name.count))
    writer.append(UInt32(0))
    writer.append(name)
    writer.pad(toMultipleOf: 8)
    return writer.bytes
  }

  /// Decodes a directory.
  static func decodeDirectory(
    _ bytes: [UInt8], count: Int, geometry: ClusterGeometry
  ) throws(Qcow2Error) -> [BitmapDirectoryEntry] {
    var reader = ByteReader(bytes)
    var entries: [BitmapDirectoryEntry] = []
    do {
      while reader.remaining > 0 {
        guard entries.count < count else {
          throw Qcow2Error.malformed("More bitmaps found than specified in header extension")
        }
        let tableOffset = HostOffset(try reader.read())
        let tableSize: UInt32 = try reader.read()
        let flags: UInt32 = try reader.read()
        let type: UInt8 = try reader.read()
        let granularityBits: UInt8 = try reader.read()
        let nameByteCount: UInt16 = try reader.read()
        let extraByteCount: UInt32 = try reader.read()
        guard type == 1, tableSize > 0, geometry.isAligned(tableOffset),
          tableOffset.bytes > 0, tableOffset.bytes <= Limits.hostOffset
        else { throw Qcow2Error.malformed("Broken bitmap directory", at: tableOffset.bytes) }
        try reader.skip(byteCount: Int(extraByteCount))
        let name = try reader.read(byteCount: Int(nameByteCount))
        try reader.skip(byteCount: min((8 - reader.position % 8) % 8, reader.remaining))
        entries.append(
          BitmapDirectoryEntry(
            tableOffset: tableOffset, tableSize: tableSize, flags: flags,
            granularityBits: granularityBits, name: name, extraByteCount: extraByteCount))
      }
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw .malformed("Broken bitmap directory")
    }
    guard entries.count == count else {
      throw .malformed("Less bitmaps found than specified in header extension")
    }
    return entries
  }
}

/// QEMU's limits of a bitmap (block/qcow2-bitmap.c).
enum BitmapLimits {
  /// `BME_MAX_TABLE_SIZE`.
  static let tableEntryCount: UInt32 = 0x800_0000
  /// `BME_MAX_PHYS_SIZE`: bytes of one bitmap's data.
  static let byteCount: UInt64 = 0x2000_0000
  /// `BME_MIN_GRANULARITY_BITS` and `BME_MAX_GRANULARITY_BITS`.
  static let granularityBits: ClosedRange<UInt8> = 9...31
  /// `BME_MAX_NAME_SIZE`.
  static let nameByteCount = 1023
  /// `BME_RESERVED_FLAGS`: all but in use and auto.
  static let reservedFlags: UInt32 = 0xffff_fffc
  /// `BME_TABLE_ENTRY_RESERVED_MASK`.
  static let entryReservedMask: UInt64 = 0xff00_0000_0000_01fe
  /// `BME_TABLE_ENTRY_FLAG_ALL_ONES`: of an entry without a cluster.
  static let entryAllOnes: UInt64 = 1
  /// `QCOW2_MAX_BITMAPS`.
  static let count = 65535
  /// `QCOW2_MAX_BITMAP_DIRECTORY_SIZE`.
  static let directoryByteCount = 1024 * 65535
  /// The bits that all changed bitmaps of one image may keep in memory until they are written, in bytes.
  /// Ours: twice what the largest bitmap has.
  static let memoryByteCount: UInt64 = 2 * byteCount
}
