/// What can be seen of one image from outside.
struct ImageView: Sendable, Hashable {
  /// Whether it can be used.
  enum Usability: Sendable, Hashable {
    /// There is no such file.
    case missing
    /// QEMU says the words of the fence.
    case fenced
    /// qemu-img cannot use it, or the reader cannot.
    case unreadable(String)
    /// `qemu-img check` ended with this status.
    case checked(Int32)
  }

  /// A bitmap without the bits of the foreign range.
  struct BitmapView: Sendable, Hashable {
    /// Whether a program uses it, and whether it records.
    let flags: Int
    let granularityBits: Int
    let bits: [UInt8]
  }

  var usability: Usability
  /// The disk without the range that others write to, its size included.
  var active: ContentKey?
  /// What is in that range, if it is one byte repeated.
  var foreignByte: UInt8?
  /// Content and length of the device state of each snapshot.
  var snapshots: [String: SnapshotView] = [:]
  var bitmaps: [String: BitmapView] = [:]

  /// A snapshot, without the range that others write to.
  struct SnapshotView: Sendable, Hashable {
    let disk: ContentKey
    let stateByteCount: Int
  }

  var isUsable: Bool { if case .checked = usability { true } else { false } }

  /// The same with snapshots of the disk alone.
  var withoutState: ImageView {
    var view = self
    view.snapshots = snapshots.mapValues { SnapshotView(disk: $0.disk, stateByteCount: 0) }
    return view
  }

  /// The snapshot that the second catalog takes.
  static let foreignTag = "theirs"

  /// Whether it shows the same content, whatever others have written.
  func agrees(with other: ImageView) -> Bool {
    func own(_ view: ImageView) -> [String: SnapshotView] {
      view.snapshots.filter { $0.key != Self.foreignTag }
    }
    return active == other.active && own(self) == own(other) && bitmaps == other.bitmaps
      && isUsable == other.isUsable
  }
}
