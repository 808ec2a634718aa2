internal import ByteCoding

/// What a fence says to others: whose commit it is, and how many images it concerns.
public struct FenceMark: Sendable, Hashable {
  /// The commit.
  public let commit: CommitID
  /// The catalog in which it stands.
  public let catalog: CatalogID
  /// The image's number among those of the commit, from 0.
  public let member: Int
  /// How many images the commit changes.
  public let memberCount: Int

  /// Makes a mark.
  public init(commit: CommitID, catalog: CatalogID, member: Int, memberCount: Int) {
    self.commit = commit
    self.catalog = catalog
    self.member = member
    self.memberCount = memberCount
  }
}

/// The extension of a fenced first sector. With it the header of before can be built again out of the sector
/// itself, without a catalog.
///
/// ```
/// byte  0  layout version, 1
///       1  the old header's version, 2 or 3
///       2  the old refcount order
///       3  zero
///       4  the image's number among those of the commit, 16 bits
///       6  the number of images, 16 bits
///       8  commit id, 16 bytes
///      24  catalog id, 16 bytes
///      40  the old mark's three ids, 48 bytes, zeros for no mark
/// ```
struct Fence: Sendable, Hashable {
  /// Whose it is.
  let mark: FenceMark
  /// 2 or 3.
  let oldVersion: UInt32
  /// The refcount order that the header had.
  let oldRefcountOrder: UInt32
  /// snapjob's mark that the image had.
  let oldMark: SnapjobMark?

  /// Bytes of the extension's data.
  static let byteCount = 88
  private static let layoutVersion: UInt8 = 1
  /// No image has it: programs that do not look at incompatible bits refuse it before they touch anything.
  static let refcountOrder: UInt32 = 63

  init(_ mark: FenceMark, over area: HeaderArea) {
    self.mark = mark
    oldVersion = area.header.version
    oldRefcountOrder = area.header.refcountOrder
    oldMark = area.mark
  }

  /// Decodes the extension's data; nil if it is of another layout or makes no sense.
  init?(decoding data: [UInt8]) {
    guard data.count == Self.byteCount, data[0] == Self.layoutVersion, (2...3).contains(data[1]),
      data[2] <= 6, let commit = CommitID(bytes: Array(data[8..<24])),
      let catalog = CatalogID(bytes: Array(data[24..<40]))
    else { return nil }
    let span = data.span.bytes
    mark = FenceMark(
      commit: commit, catalog: catalog, member: Int(span.bigEndian(UInt16.self, at: 4)),
      memberCount: Int(span.bigEndian(UInt16.self, at: 6)))
    oldVersion = UInt32(data[1])
    oldRefcountOrder = UInt32(data[2])
    if let last = CommitID(bytes: Array(data[40..<56])),
      let old = CatalogID(bytes: Array(data[56..<72]))
    {
      oldMark = SnapjobMark(
        last: last, catalog: old, previous: CommitID(bytes: Array(data[72..<88])))
    } else {
      oldMark = nil
    }
  }

  /// The extension's data.
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.append([Self.layoutVersion, UInt8(oldVersion), UInt8(oldRefcountOrder), 0])
    writer.append(UInt16(clamping: mark.member))
    writer.append(UInt16(clamping: mark.memberCount))
    writer.append(mark.commit.bytes)
    writer.append(mark.catalog.bytes)
    let none = [UInt8](repeating: 0, count: CommitID.byteCount)
    writer.append(oldMark?.last.bytes ?? none)
    writer.append(oldMark?.catalog.bytes ?? none)
    writer.append(oldMark?.previous?.bytes ?? none)
    return writer.bytes
  }
}
