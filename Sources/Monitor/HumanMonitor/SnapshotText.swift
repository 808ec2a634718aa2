import Jobs
import Qcow2

/// A snapshot as a line of QEMU's tables (block/qapi.c, `bdrv_snapshot_dump`).
struct SnapshotText {
  private static let widths = [-9, -16, 8, 20, 13, 11]
  private static let millisecond: UInt64 = 1_000_000

  private let nameBytes: [UInt8]
  /// The columns after the id.
  private let columns: [String]
  private let id: String

  init(_ snapshot: Snapshot) {
    nameBytes = snapshot.nameBytes
    id = snapshot.id
    let time = Timestamp(microseconds: Int64(snapshot.dateSeconds) * 1_000_000)
    columns = [
      snapshot.name, ByteCountText.text(snapshot.vmStateSize), LocalTime(time).text,
      Self.clock(snapshot.vmClockNanoseconds), snapshot.icount.map { "\($0)" } ?? "",
    ]
  }

  private init(_ other: SnapshotText, id: String) {
    nameBytes = other.nameBytes
    columns = other.columns
    self.id = id
  }

  /// The line for several disks, on which the snapshot may have several ids.
  var withoutID: SnapshotText { SnapshotText(self, id: "--") }

  /// Whether both snapshots have the same tag, byte for byte.
  func hasSameName(as other: SnapshotText) -> Bool { nameBytes == other.nameBytes }

  /// Lines under the header.
  static func table(_ rows: [SnapshotText]) -> String {
    let header = "ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT\n"
    return header + rows.map(\.line).joined()
  }

  private var line: String {
    let cells = zip([id] + columns, Self.widths).map { $0.padded(to: $1) }
    return "\(cells[0]) \(cells[1]) \(cells[2...].joined())\n"
  }

  /// Hours, minutes, seconds and thousandths.
  private static func clock(_ nanoseconds: UInt64) -> String {
    let milliseconds = nanoseconds / millisecond
    let seconds = milliseconds / 1000
    let fields = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { "\($0)".padded(zeros: 2) }
    return fields.joined(separator: ":") + "." + "\(milliseconds % 1000)".padded(zeros: 3)
  }
}

extension String {
  /// The text in a column as C's `printf` counts, in bytes; a negative width puts it at the left.
  fileprivate func padded(to width: Int) -> String {
    let space = String(repeating: " ", count: max(0, abs(width) - utf8.count))
    return width < 0 ? self + space : space + self
  }

  /// A number with zeros before it.
  func padded(zeros count: Int) -> String {
    String(repeating: "0", count: max(0, count - utf8.count)) + self
  }
}
