internal import ByteCoding

/// The fixed fields at the start of an image (qcow2 specification, "Header"), in disk order.
struct Header: Sendable, Hashable {
  /// `QFI\xfb`.
  static let magic: UInt32 = 0x5146_49fb
  /// Bytes of a version 2 header.
  static let version2ByteCount = 72
  /// Bytes of the shortest version 3 header.
  static let version3ByteCount = 104
  /// Bytes of the header that QEMU and this engine write.
  static let writtenByteCount = 112

  /// Byte 4: 2 or 3.
  var version: UInt32
  /// Byte 8: where the backing file's name begins; 0 for none.
  var backingFileOffset: UInt64
  /// Byte 16: bytes of the backing file's name.
  var backingFileSize: UInt32
  /// Byte 20: log2 of the cluster size.
  var clusterBits: UInt32
  /// Byte 24: the disk's size in bytes.
  var size: UInt64
  /// Byte 32: 0 none, 1 AES, 2 LUKS.
  var cryptMethod: UInt32
  /// Byte 36: entries of the active L1 table.
  var l1Size: UInt32
  /// Byte 40: where the active L1 table begins.
  var l1TableOffset: HostOffset
  /// Byte 48: where the refcount table begins.
  var refcountTableOffset: HostOffset
  /// Byte 56: clusters of the refcount table.
  var refcountTableClusters: UInt32
  /// Byte 60: entries of the snapshot table.
  var snapshotCount: UInt32
  /// Byte 64: where the snapshot table begins.
  var snapshotsOffset: HostOffset
  /// Byte 72 (version 3).
  var incompatible: IncompatibleFeatures
  /// Byte 80 (version 3).
  var compatible: CompatibleFeatures
  /// Byte 88 (version 3).
  var autoclear: AutoclearFeatures
  /// Byte 96 (version 3): log2 of the refcount width.
  var refcountOrder: UInt32
  /// Byte 104 to the header's end (version 3): the compression type and whatever a later version has
  /// put there; kept byte for byte.
  var rest: [UInt8]

  /// Bytes of the header: where the extensions begin.
  var byteCount: Int {
    version == 2 ? Self.version2ByteCount : Self.version3ByteCount + rest.count
  }

  /// 0 deflate, 1 zstd.
  var compressionType: UInt8 { rest.first ?? 0 }

  /// The divisions that follow from it.
  var geometry: ClusterGeometry {
    ClusterGeometry(
      clusterBits: Int(clusterBits), refcountOrder: Int(refcountOrder),
      hasExtendedL2: incompatible.contains(.extendedL2))
  }
}

extension Header {
  /// Decodes a header. Only what is needed to find the end of the header is checked here; see
  /// ``validate(fileLength:)`` for the rest.
  init(decoding bytes: [UInt8]) throws(Qcow2Error) {
    do {
      var reader = ByteReader(bytes)
      guard try reader.read(UInt32.self) == Self.magic else {
        throw Qcow2Error.notQcow2(
          "it does not begin with a qcow2 header; check the path, or convert it with: qemu-img convert -O qcow2"
        )
      }
      version = try reader.read()
      guard version == 2 || version == 3 else {
        throw Qcow2Error.unsupported("Unsupported qcow2 version \(version)")
      }
      backingFileOffset = try reader.read()
      backingFileSize = try reader.read()
      clusterBits = try reader.read()
      guard Limits.clusterBits.contains(clusterBits) else {
        throw Qcow2Error.unsupported("Unsupported cluster size: 2^\(clusterBits)")
      }
      size = try reader.read()
      cryptMethod = try reader.read()
      l1Size = try reader.read()
      l1TableOffset = HostOffset(try reader.read())
      refcountTableOffset = HostOffset(try reader.read())
      refcountTableClusters = try reader.read()
      snapshotCount = try reader.read()
      snapshotsOffset = HostOffset(try reader.read())
      guard version == 3 else {
        incompatible = []
        compatible = []
        autoclear = []
        refcountOrder = 4
        rest = []
        return
      }
      incompatible = IncompatibleFeatures(rawValue: try reader.read())
      compatible = CompatibleFeatures(rawValue: try reader.read())
      autoclear = AutoclearFeatures(rawValue: try reader.read())
      refcountOrder = try reader.read()
      let headerLength: UInt32 = try reader.read()
      guard headerLength >= Self.version3ByteCount else {
        throw Qcow2Error.malformed("qcow2 header too short; the file is damaged", at: 100)
      }
      guard headerLength <= 1 << clusterBits else {
        throw Qcow2Error.malformed("qcow2 header exceeds cluster size", at: 100)
      }
      rest = try reader.read(byteCount: Int(headerLength) - Self.version3ByteCount)
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw .malformed("the file ends inside the qcow2 header")
    }
  }

  /// The header's bytes.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: byteCount)
    writer.append(Self.magic)
    writer.append(version)
    writer.append(backingFileOffset)
    writer.append(backingFileSize)
    writer.append(clusterBits)
    writer.append(size)
    writer.append(cryptMethod)
    writer.append(l1Size)
    writer.append(l1TableOffset.bytes)
    writer.append(refcountTableOffset.bytes)
    writer.append(refcountTableClusters)
    writer.append(snapshotCount)
    writer.append(snapshotsOffset.bytes)
    guard version == 3 else { return writer.bytes }
    writer.append(incompatible.rawValue)
    writer.append(compatible.rawValue)
    writer.append(autoclear.rawValue)
    writer.append(refcountOrder)
    writer.append(UInt32(byteCount))
    writer.append(rest)
    return writer.bytes
  }
}

extension Header {
  /// Decodes the start of a header that may be longer than the bytes: only the version and the cluster
  /// size are of use then.
  init(decodingStart bytes: [UInt8]) throws(Qcow2Error) {
    var shortened = bytes
    // A header length beyond the first sector is checked once the whole cluster is there.
    if shortened.count >= 104, shortened[7] == 3 {
      shortened.replaceSubrange(100..<104, with: [0, 0, 0, 104])
    }
    try self.init(decoding: shortened)
  }
}
