import TestOracles

/// One operation on some disks of one format, with everything that can go wrong.
struct Scenario: Sendable, Hashable, CustomStringConvertible {
  let operation: Operation
  let format: Format
  let diskCount: Int

  var description: String { "\(operation) on \(diskCount) × \(format)" }

  /// Whether disks have, or get, persistent bitmaps.
  var hasBitmaps: Bool {
    format.hasBitmaps || [.clearBitmap, .bitmapAdd, .receive].contains(operation)
  }

  /// The rows of the table in which its states are counted.
  var rows: [String] {
    [Self.row(operation), Self.row(diskCount: diskCount), Self.row(format)]
  }

  static func row(_ operation: Operation) -> String { "\(operation)" }
  static func row(diskCount: Int) -> String { "\(diskCount) disk\(diskCount == 1 ? "" : "s")" }
  static func row(_ format: Format) -> String { "\(format)" }

  /// All rows in their order.
  static var allRows: [String] {
    Operation.allCases.map(row) + (1...3).map(row(diskCount:)) + Format.allCases.map(row)
  }

  /// All operations on one to three ordinary disks, and the most common ones on disks of each format.
  static let all: [Scenario] = {
    var scenarios: [Scenario] = []
    for diskCount in 1...3 {
      for operation in Operation.allCases {
        scenarios.append(Scenario(operation: operation, format: .version3, diskCount: diskCount))
      }
      for format in Format.allCases where format != .version3 {
        for operation in [Operation.save, .load, .delete]
          + (format.hasBitmaps ? [.clearBitmap] : [])
        {
          scenarios.append(Scenario(operation: operation, format: format, diskCount: diskCount))
        }
      }
    }
    return scenarios.filter { $0.operation.isPossible($0.format, diskCount: $0.diskCount) }
  }()
}
