internal import ByteCoding

/// Everything in cluster 0: the header, its extensions and the backing file's name.
///
/// ```
/// | header | ext | ext | … | end | backing file name |   …unused…   |
/// 0        byteCount                                   512          cluster size
/// ```
struct HeaderArea: Sendable, Hashable {
  /// The fixed fields.
  var header: Header
  /// The extensions in disk order, without the end marker and without fillers.
  var extensions: [HeaderExtension]
  /// The backing file's name; nil for none. It is never opened.
  var backingFileName: [UInt8]?
  /// The mark that a fence has kept.
  private var fencedMark: SnapjobMark?

  /// Decodes cluster 0 of an image (or the whole file where that is shorter).
  ///
  /// Checks the header's limits, and that every extension lies inside its area.
  init(decoding cluster: [UInt8]) throws(Qcow2Error) {
    let header = try Header(decoding: cluster)
    try header.validate()
    try self.init(header, in: cluster)
  }

  /// Reads the extensions and the backing file's name that belong to a header.
  private init(_ header: Header, in cluster: [UInt8]) throws(Qcow2Error) {
    self.header = header
    var areaEnd = min(cluster.count, 1 << Int(header.clusterBits))
    if header.backingFileOffset != 0 {
      let (end, overflow) = Int(clamping: header.backingFileOffset)
        .addingReportingOverflow(Int(header.backingFileSize))
      guard !overflow, end <= cluster.count else {
        throw .malformed("the backing file's name lies beyond the end of the file", at: 8)
      }
      let start = Int(header.backingFileOffset)
      backingFileName = Array(cluster[start..<end])
      areaEnd = start
    }
    extensions = try Self.decodeExtensions(
      cluster, from: header.byteCount, to: max(areaEnd, header.byteCount))
  }

  /// The extensions that lie in cluster 0, also of a fenced image, whose header no one else takes for sound.
  static func chain(in cluster: [UInt8]) -> [HeaderExtension] {
    guard let header = try? Header(decoding: cluster) else { return [] }
    return (try? HeaderArea(header, in: cluster).extensions) ?? []
  }

  /// Decodes cluster 0 of a fenced image as it was before the fence; feature names that gave way to it are
  /// not there any more, and mean nothing.
  ///
  /// - Throws: ``Qcow2Error`` (notFound) if there is no fence, or what is wrong in the header.
  init(unfencing cluster: [UInt8]) throws(Qcow2Error) {
    guard let fence = FirstSector(onDisk: Array(cluster.prefix(FirstSector.byteCount))).fence else {
      throw .notFound("the image is not fenced")
    }
    var area = try HeaderArea(try Header(decoding: cluster), in: cluster)
    area.header.incompatible.remove(.commitPending)
    area.header.version = fence.oldVersion
    area.header.refcountOrder = fence.oldRefcountOrder
    if fence.oldVersion == 2 { area.header.rest = [] }
    area.extensions.removeAll {
      $0.type == HeaderExtension.fence || $0.type == HeaderExtension.featureNameTable
    }
    try area.header.validate()
    self = area
    fencedMark = fence.oldMark
  }

  private static func decodeExtensions(
    _ cluster: [UInt8], from start: Int, to end: Int
  ) throws(Qcow2Error) -> [HeaderExtension] {
    var found: [HeaderExtension] = []
    var position = start
    while position < end {
      guard position + 8 <= end else {
        throw .malformed("Header extension too large", at: UInt64(position))
      }
      let type = cluster.span.bytes.bigEndian(UInt32.self, at: position)
      let length = cluster.span.bytes.bigEndian(UInt32.self, at: position + 4)
      // Also for the end marker, as in QEMU.
      guard length <= end - position - 8 else {
        throw .malformed("Header extension too large", at: UInt64(position))
      }
      guard type != HeaderExtension.end else { break }
      if type != HeaderExtension.filler {
        let data = Array(cluster[position + 8..<position + 8 + Int(length)])
        found.append(HeaderExtension(type: type, data: data, position: position))
      }
      position += 8 + (Int(length) + 7) / 8 * 8
    }
    return found
  }

  /// The first extension of a type; nil if there is none.
  func ext(_ type: UInt32) -> HeaderExtension? { extensions.first { $0.type == type } }

  /// snapjob's mark; that of before the fence where the area was decoded out of one.
  var mark: SnapjobMark? {
    fencedMark ?? ext(HeaderExtension.snapjob).flatMap { SnapjobMark(decoding: $0.data) }
  }

  /// The names that the image gives to feature bits.
  var featureNames: [FeatureName] {
    ext(HeaderExtension.featureNameTable).map { FeatureName.decodeTable($0.data) } ?? []
  }

  /// Refuses bits that nobody knows, by the name that the image gives them.
  func checkIncompatibleFeatures() throws(Qcow2Error) {
    let unknown = header.incompatible.subtracting(.known).rawValue
    guard unknown != 0 else { return }
    let names = (0..<64).filter { unknown >> UInt64($0) & 1 == 1 }.map { bit in
      featureNames.first { $0.kind == .incompatible && Int($0.bit) == bit }?.name
        ?? "Unknown incompatible feature: 0x" + String(UInt64(1) << UInt64(bit), radix: 16)
    }
    throw .unsupported("Unsupported qcow2 feature(s): \(names.joined(separator: ", "))", at: 72)
  }
}

/// One record of the feature name table.
struct FeatureName: Sendable, Hashable {
  /// Which of the three bit fields.
  enum Kind: UInt8, Sendable {
    case incompatible = 0
    case compatible = 1
    case autoclear = 2
  }

  /// Which of the three bit fields.
  let kind: Kind
  /// The bit's number.
  let bit: UInt8
  /// What to call it.
  let name: String

  /// Bytes of one record.
  static let byteCount = 48

  /// snapjob's own record: QEMU prints its name when it refuses a fenced image.
  static let commitPending = FeatureName(
    kind: .incompatible, bit: IncompatibleFeatures.commitPendingBit,
    name: IncompatibleFeatures.commitPendingName)

  /// Decodes a table; records of unknown kinds are left out.
  static func decodeTable(_ data: [UInt8]) -> [FeatureName] {
    stride(from: 0, to: data.count - data.count % byteCount, by: byteCount).compactMap { start in
      guard let kind = Kind(rawValue: data[start]) else { return nil }
      let name = data[start + 2..<start + byteCount].prefix { $0 != 0 }
      return FeatureName(
        kind: kind, bit: data[start + 1], name: String(decoding: name, as: UTF8.self))
    }
  }

  /// The record's bytes.
  var encoded: [UInt8] {
    let text = Array(name.utf8.prefix(Self.byteCount - 2))
    return [kind.rawValue, bit] + text
      + [UInt8](repeating: 0, count: Self.byteCount - 2 - text.count)
  }
}
