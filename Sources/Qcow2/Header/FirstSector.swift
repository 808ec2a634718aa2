internal import ByteCoding

/// The first 512 bytes of an image: the only bytes whose change switches it from old to new.
///
/// The header, snapjob's mark or fence, and the bitmaps extension lie inside, so that one write changes them
/// together. Feature names give way to them. Extensions that this engine does not know move inside, or stay
/// where they are behind a filler.
public struct FirstSector: Sendable, Hashable {
  /// The 512 bytes.
  public let bytes: [UInt8]

  /// Number of bytes on disk.
  public static let byteCount = Limits.sectorByteCount

  /// Takes bytes as they are on disk.
  public init(onDisk bytes: [UInt8]) { self.bytes = bytes }

  /// Encodes what cluster 0 is to say from now on.
  ///
  /// - Parameters:
  ///   - area: header, extensions and backing file name; extensions with a position are on disk there.
  ///   - mark: what snapjob's extension is to say; nil for no extension.
  ///   - cluster: cluster 0 as it is on disk; bytes behind the first sector do not change.
  /// - Throws: ``Qcow2Error`` (noRoom) if what must be kept does not fit.
  init(encoding area: HeaderArea, mark: SnapjobMark?, cluster: [UInt8]) throws(Qcow2Error) {
    let own = mark.map {
      HeaderExtension(type: HeaderExtension.snapjob, data: $0.encoded, position: 0)
    }
    let names = area.featureNames.filter {
      $0.kind != .incompatible || $0.bit != IncompatibleFeatures.markedBit
    }
    try self.init(area, leading: own.map { [$0] } ?? [], names: names, cluster: cluster)
  }

  /// Encodes the same content behind the fence: a complete header of version 3 that only snapjob opens, out of
  /// which the header itself can be built again (``HeaderArea/init(unfencing:)``).
  ///
  /// The name of the fence's bit comes first: QEMU reads no further than a LUKS extension before it looks at
  /// the bits. The backing file's name and format stay: libvirt's own reader does not look at the bits, and
  /// would start a guest without the backing file.
  ///
  /// - Parameters:
  ///   - area: what the image says, or is to say.
  ///   - mark: whose fence.
  ///   - cluster: cluster 0 as it is on disk.
  /// - Throws: ``Qcow2Error`` (noRoom) if what must be kept does not fit.
  init(fencing area: HeaderArea, _ mark: FenceMark, cluster: [UInt8]) throws(Qcow2Error) {
    let fence = Fence(mark, over: area)
    var fenced = area
    fenced.header.version = 3
    fenced.header.refcountOrder = Fence.refcountOrder
    fenced.header.incompatible.insert(.commitPending)
    let leading = [
      HeaderExtension(
        type: HeaderExtension.featureNameTable, data: FeatureName.commitPending.encoded,
        position: 0),
      HeaderExtension(type: HeaderExtension.fence, data: fence.encoded, position: 0),
    ]
    try self.init(fenced, leading: leading, names: [], cluster: cluster)
  }

  private init(
    _ area: HeaderArea, leading: [HeaderExtension], names: [FeatureName], cluster: [UInt8]
  ) throws(Qcow2Error) {
    var required = leading
    var movable: [HeaderExtension] = []
    for ext in area.extensions {
      switch ext.type {
      case HeaderExtension.snapjob, HeaderExtension.featureNameTable, HeaderExtension.fence: break
      case HeaderExtension.backingFormat, HeaderExtension.bitmaps, HeaderExtension.luksHeader,
        HeaderExtension.externalDataFile:
        required.append(ext)
      default: movable.append(ext)
      }
    }
    // The last `staying` of the unknown extensions stay on disk behind a filler; try with as few as
    // possible. They can stay only where nothing else follows them in the chain that is there.
    let onDisk = HeaderArea.chain(in: cluster)
    for staying in 0...movable.count {
      let stayers = Array(movable.suffix(staying))
      guard stayers == onDisk.suffix(staying) else { break }
      let inside = required + movable.prefix(movable.count - staying)
      if let bytes = Self.layOut(
        area, inside: inside, stayers: stayers, names: names, cluster: cluster)
      {
        self.bytes = bytes
        return
      }
    }
    throw .noRoom(
      "the first 512 bytes have no room for what snapjob keeps there beside the header extensions"
        + (area.backingFileName == nil
          ? "; use qemu-img for this image"
          : " and the backing file's name; shorten that (qemu-img rebase -u) or use qemu-img for this "
            + "image"))
  }

  private static func layOut(
    _ area: HeaderArea, inside: [HeaderExtension], stayers: [HeaderExtension],
    names: [FeatureName], cluster: [UInt8]
  ) -> [UInt8]? {
    var header = area.header
    let insideBytes = inside.reduce(0) { $0 + $1.byteCount }
    let limit = stayers.first.map { min($0.position, byteCount) } ?? byteCount
    // What follows the extensions: a filler's head, or the end marker and the backing file's name.
    var tail = 8
    var placesName = false
    if let name = area.backingFileName {
      let staysBehind = Int(header.backingFileOffset) >= byteCount
      guard staysBehind || stayers.isEmpty else { return nil }
      placesName = !staysBehind
      if placesName { tail += name.count }
    }
    let room = limit - header.byteCount - insideBytes - tail
    guard room >= 0 else { return nil }

    var extensions = ByteWriter(capacity: byteCount)
    for ext in inside + featureTable(names, header.version, room: room) {
      extensions.append(ext.type)
      extensions.append(UInt32(ext.data.count))
      extensions.append(ext.data)
      extensions.pad(toMultipleOf: 8)
    }
    let chainEnd = header.byteCount + extensions.bytes.count
    if let first = stayers.first {
      guard first.position >= chainEnd + 8 else { return nil }
      extensions.append(HeaderExtension.filler)
      extensions.append(UInt32(first.position - chainEnd - 8))
    } else {
      extensions.append(UInt64(0))
      if placesName, let name = area.backingFileName {
        header.backingFileOffset = UInt64(header.byteCount + extensions.bytes.count)
        extensions.append(name)
      }
    }
    var sector = header.encoded() + extensions.bytes
    guard sector.count <= limit else { return nil }
    sector += [UInt8](repeating: 0, count: limit - sector.count)
    // A staying extension may begin inside the sector: those bytes stay as they are.
    sector += cluster[limit..<byteCount]
    return sector
  }

  /// As many feature names as there is room for. Version 2 has no feature bits.
  private static func featureTable(
    _ names: [FeatureName], _ version: UInt32, room: Int
  ) -> [HeaderExtension] {
    let count = min((room - 8) / FeatureName.byteCount, names.count)
    guard version >= 3, room >= 8, count >= 1 else { return [] }
    return [
      HeaderExtension(
        type: HeaderExtension.featureNameTable, data: names.prefix(count).flatMap(\.encoded),
        position: 0)
    ]
  }
}

// MARK: What a sector says

extension FirstSector {
  /// Whether it begins as a qcow2 image does.
  public var isQcow2: Bool {
    bytes.count == Self.byteCount && bytes.span.bytes.bigEndian(UInt32.self, at: 0) == Header.magic
  }

  /// Whose fence the image has; nil for none.
  public var fenceMark: FenceMark? { fence?.mark }

  /// Whether the image has the fence of a snapjob version that marked images.
  public var hasMarkedFence: Bool {
    header.map { $0.incompatible.contains(.markedCommitPending) } ?? false
  }

  /// snapjob's mark, if its extension lies inside the sector and the image is not fenced.
  public var mark: SnapjobMark? {
    guard fence == nil else { return nil }
    return data(of: HeaderExtension.snapjob).flatMap(SnapjobMark.init(decoding:))
  }

  var fence: Fence? {
    guard let header, header.incompatible.contains(.commitPending) else { return nil }
    return data(of: HeaderExtension.fence).flatMap(Fence.init(decoding:))
  }

  /// The same sector without the marker bit; nil if it has none, or is fenced by whatever version: then its
  /// bytes are somebody's to compare.
  public var withoutMarker: FirstSector? {
    guard let header, header.version == 3, header.autoclear.contains(.marker),
      header.incompatible.isDisjoint(with: [.commitPending, .markedCommitPending])
    else { return nil }
    var changed = bytes
    // Byte 88: autoclear bits, the highest first.
    changed[88 + 7 - Int(IncompatibleFeatures.markedBit) / 8] &=
      ~(UInt8(1) << (IncompatibleFeatures.markedBit % 8))
    return FirstSector(onDisk: changed)
  }

  /// The same sector without the fence, and the marker, of a snapjob version that marked images; nil if it has
  /// no such fence.
  var withoutMarkedFence: FirstSector? {
    guard let header, header.version == 3, header.incompatible.contains(.markedCommitPending) else {
      return nil
    }
    let mask = ~(UInt8(1) << (IncompatibleFeatures.markedBit % 8))
    let index = 7 - Int(IncompatibleFeatures.markedBit) / 8
    var changed = bytes
    // Byte 72: incompatible bits; byte 88: autoclear bits.
    for start in [72, 88] { changed[start + index] &= mask }
    return FirstSector(onDisk: changed)
  }

  private var header: Header? {
    guard bytes.count == Self.byteCount else { return nil }
    return try? Header(decodingStart: bytes)
  }

  /// The data of the first extension of a type that lies wholly inside.
  private func data(of wanted: UInt32) -> [UInt8]? {
    let span = bytes.span.bytes
    guard bytes.count == Self.byteCount else { return nil }
    var position = Header.version2ByteCount
    if span.bigEndian(UInt32.self, at: 4) >= 3 {
      position = Int(span.bigEndian(UInt32.self, at: 100))
    }
    while position >= 0, position + 8 <= Self.byteCount {
      let type = span.bigEndian(UInt32.self, at: position)
      let length = Int(span.bigEndian(UInt32.self, at: position + 4))
      guard type != HeaderExtension.end else { return nil }
      if type == wanted {
        guard position + 8 + length <= Self.byteCount else { return nil }
        return Array(bytes[position + 8..<position + 8 + length])
      }
      position += 8 + (length + 7) / 8 * 8
    }
    return nil
  }
}
