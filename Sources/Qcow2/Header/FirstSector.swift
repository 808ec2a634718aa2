internal import ByteCoding

/// The first 512 bytes of an image: the only bytes whose change switches it from old to new.
///
/// The header, snapjob's marks, the bitmaps extension and the name of the fence's feature bit lie
/// inside, so that one write changes them together. Other feature names give way to them. Extensions
/// that this engine does not know move inside, or stay where they are behind a filler.
public struct FirstSector: Sendable, Hashable {
  /// The 512 bytes.
  public let bytes: [UInt8]

  static let byteCount = Limits.sectorByteCount

  /// Takes bytes as they are on disk.
  public init(onDisk bytes: [UInt8]) { self.bytes = bytes }

  /// Encodes what cluster 0 is to say from now on.
  ///
  /// - Parameters:
  ///   - area: header, extensions and backing file name; extensions with a position are on disk there.
  ///   - marks: what snapjob's extension is to say.
  ///   - cluster: cluster 0 as it is on disk; bytes behind the first sector do not change.
  /// - Throws: ``Qcow2Error`` (noRoom) if what must be kept does not fit.
  init(encoding area: HeaderArea, marks: Marks, cluster: [UInt8]) throws(Qcow2Error) {
    var required = [
      HeaderExtension(type: HeaderExtension.snapjob, data: marks.encoded, position: 0)
    ]
    var movable: [HeaderExtension] = []
    for ext in area.extensions {
      switch ext.type {
      case HeaderExtension.snapjob, HeaderExtension.featureNameTable: break
      case HeaderExtension.backingFormat, HeaderExtension.bitmaps, HeaderExtension.luksHeader,
        HeaderExtension.externalDataFile:
        required.append(ext)
      default: movable.append(ext)
      }
    }
    // The last `staying` of the unknown extensions stay on disk behind a filler; try with as few as
    // possible. They can stay only where nothing else follows them in the chain.
    for staying in 0...movable.count {
      let stayers = Array(movable.suffix(staying))
      guard Self.endChain(stayers, area) else { break }
      let inside = required + movable.prefix(movable.count - staying)
      if let bytes = Self.layOut(area, inside: inside, stayers: stayers, cluster: cluster) {
        self.bytes = bytes
        return
      }
    }
    throw .noRoom(
      "the first 512 bytes have no room for snapjob's marks beside the header extensions"
        + (area.backingFileName == nil
          ? "; use qemu-img for this image"
          : " and the backing file's name; shorten that (qemu-img rebase -u) or use qemu-img for this "
            + "image"))
  }

  /// Whether these are the last extensions of the chain on disk.
  private static func endChain(_ stayers: [HeaderExtension], _ area: HeaderArea) -> Bool {
    stayers.allSatisfy { $0.position > 0 } && stayers == area.extensions.suffix(stayers.count)
  }

  private static func layOut(
    _ area: HeaderArea, inside: [HeaderExtension], stayers: [HeaderExtension], cluster: [UInt8]
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
    guard let table = featureTable(area, room: room) else { return nil }

    var extensions = ByteWriter(capacity: byteCount)
    for ext in inside + table {
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

  /// snapjob's own feature name first, then as many of the image's as there is room for. Version 2
  /// has no feature bits. Nil if not even its own name fits.
  private static func featureTable(_ area: HeaderArea, room: Int) -> [HeaderExtension]? {
    guard area.header.version >= 3 else { return [] }
    let others = area.featureNames.filter {
      $0.kind != .incompatible || $0.bit != IncompatibleFeatures.commitPendingBit
    }
    let count = min((room - 8) / FeatureName.byteCount, others.count + 1)
    guard room >= 8, count >= 1 else { return nil }
    let names = [.commitPending] + others.prefix(count - 1)
    return [
      HeaderExtension(
        type: HeaderExtension.featureNameTable, data: names.flatMap(\.encoded), position: 0)
    ]
  }

  /// The same sector with the fence up: only the feature bit differs.
  public var fenced: FirstSector { settingCommitPending(true) }

  /// The same sector with the fence down.
  public var unfenced: FirstSector { settingCommitPending(false) }

  private func settingCommitPending(_ isPending: Bool) -> FirstSector {
    let byte = 72 + 7 - Int(IncompatibleFeatures.commitPendingBit) / 8
    let bit = UInt8(1) << (IncompatibleFeatures.commitPendingBit % 8)
    var changed = bytes
    changed[byte] = isPending ? changed[byte] | bit : changed[byte] & ~bit
    return FirstSector(onDisk: changed)
  }

  /// snapjob's marks, if the extension lies inside the sector.
  public var marks: Marks? {
    marksPosition.map { Marks(decoding: Array(bytes[$0..<$0 + Marks.byteCount])) }
  }

  /// The same sector without a pending commit and without the fence.
  public var settled: FirstSector {
    guard let position = marksPosition else { return unfenced }
    var changed = unfenced.bytes
    for index in position + 16..<position + 32 { changed[index] = 0 }
    return FirstSector(onDisk: changed)
  }

  /// Where the data of snapjob's extension begins; nil if it is not wholly inside.
  private var marksPosition: Int? {
    guard bytes.count == Self.byteCount else { return nil }
    let span = bytes.span.bytes
    var position = Header.version2ByteCount
    if span.bigEndian(UInt32.self, at: 4) >= 3 {
      position = Int(span.bigEndian(UInt32.self, at: 100))
    }
    while position >= 0, position + 8 <= Self.byteCount {
      let type = span.bigEndian(UInt32.self, at: position)
      let length = Int(span.bigEndian(UInt32.self, at: position + 4))
      guard type != HeaderExtension.end else { return nil }
      if type == HeaderExtension.snapjob, length == Marks.byteCount {
        return position + 8 + length <= Self.byteCount ? position + 8 : nil
      }
      position += 8 + (length + 7) / 8 * 8
    }
    return nil
  }
}
