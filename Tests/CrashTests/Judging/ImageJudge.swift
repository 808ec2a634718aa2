import TestOracles

/// Looks at images, at each distinct content once: `qemu-img check` at all of them, the guest's content with an
/// independent reader, and at a share of them with `qemu-img convert` as well.
final class ImageJudge {
  /// What QEMU says when it refuses a fenced image.
  static let fenceWords =
    "Unsupported qcow2 feature(s): snapjob commit pending: run snapjob recover"

  private let foreignRange: Range<Int>
  private let scratch: String
  private var known: [ContentKey: ImageView] = [:]
  /// Distinct contents that qemu-img has judged.
  private(set) var imageCount = 0
  /// Those whose content qemu-img has read out as well.
  private(set) var convertedCount = 0
  /// Every so many distinct images the content is read by qemu-img, too.
  private let convertInterval: Int

  /// A judge of images of one kind.
  ///
  /// - Parameters:
  ///   - foreignRange: the bytes of the guest's disk to which other programs write.
  ///   - scratch: a path for raw contents.
  ///   - convertInterval: every so many distinct images the content is read by qemu-img as well.
  init(foreignRange: Range<Int>, scratch: String, convertInterval: Int) {
    self.foreignRange = foreignRange
    self.scratch = scratch
    self.convertInterval = convertInterval
  }

  /// Looks at an image that lies at a path with this content; nil for no file.
  func look(at path: String, _ content: FileContent?) throws -> ImageView {
    guard let content else { return ImageView(usability: .missing) }
    let key = content.key
    if let view = known[key] { return view }
    let view = try judge(path, content)
    known[key] = view
    return view
  }

  private func judge(_ path: String, _ content: FileContent) throws -> ImageView {
    imageCount += 1
    let check = try QemuImg.check(path)
    if check.status == 1 {
      return ImageView(
        usability: check.text.contains(Self.fenceWords) ? .fenced : .unreadable(check.text))
    }
    do {
      let reader = try IndependentReader(content)
      let active = try reader.active()
      let snapshots = try reader.snapshots()
      if imageCount % convertInterval == 1 || convertInterval == 1 {
        try compare(path, active, snapshots)
      }
      var view = ImageView(usability: .checked(check.status))
      view.active = masked(active)
      view.foreignByte = foreignByte(active)
      view.snapshots = snapshots.mapValues {
        ImageView.SnapshotView(disk: masked($0.disk), stateByteCount: $0.stateByteCount)
      }
      view.bitmaps = try reader.bitmaps().mapValues(masked)
      return view
    } catch let error as OracleError {
      throw error
    } catch {
      return ImageView(usability: .unreadable("\(error); qemu-img check: \(check.text)"))
    }
  }

  /// Reads all states with qemu-img; the reader must have seen the same bytes.
  private func compare(
    _ path: String, _ active: FileContent,
    _ snapshots: [String: (disk: FileContent, stateByteCount: Int)]
  ) throws {
    convertedCount += 1
    try compare(path, nil, active)
    for (name, snapshot) in snapshots { try compare(path, name, snapshot.disk) }
  }

  private func compare(_ path: String, _ tag: String?, _ content: FileContent) throws {
    try QemuImg.convert(path, toRaw: scratch, snapshot: tag.map { "snapshot.name=\($0)" })
    guard try FileContent(of: scratch).key == content.key else {
      throw OracleError("\(path): qemu-img reads something else in \(tag ?? "the active state")")
    }
  }

  private func masked(_ content: FileContent) -> ContentKey {
    var content = content
    content.clear(at: foreignRange.lowerBound, count: foreignRange.count)
    return content.key
  }

  private func masked(_ bitmap: IndependentReader.Bitmap) -> ImageView.BitmapView {
    var bits = bitmap.bits
    let range =
      foreignRange.lowerBound >> bitmap.granularityBits...(foreignRange.upperBound - 1)
      >> bitmap.granularityBits
    for bit in range where bit / 8 < bits.count { bits[bit / 8] &= ~(1 << UInt8(bit % 8)) }
    return ImageView.BitmapView(
      flags: bitmap.flags & 3, granularityBits: bitmap.granularityBits, bits: bits)
  }

  private func foreignByte(_ content: FileContent) -> UInt8? {
    let bytes = content.bytes(at: foreignRange.lowerBound, count: foreignRange.count)
    guard let first = bytes.first, bytes.allSatisfy({ $0 == first }) else { return nil }
    return first
  }
}
