import FileNames

/// Columns of text under headings, aligned with spaces.
struct Table: Sendable, Hashable {
  /// A column's heading and side.
  struct Column: Sendable, Hashable {
    let heading: String
    let isRightAligned: Bool

    init(_ heading: String, right: Bool = false) {
      self.heading = heading
      isRightAligned = right
    }
  }

  private let columns: [Column]
  private var rows: [[String]] = []

  init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row; an empty cell is shown as `-`.
  mutating func add(_ cells: [String]) {
    rows.append(cells.map { $0.isEmpty ? "-" : Self.printable($0) })
  }

  /// Whether there are no rows.
  var isEmpty: Bool { rows.isEmpty }

  /// The table, each line ended; no spaces at the end of a line.
  var text: String {
    let lines = [columns.map(\.heading)] + rows
    let widths = columns.indices.map { index in
      lines.map { index < $0.count ? $0[index].count : 0 }.max() ?? 0
    }
    return lines.map { cells in
      var line = ""
      for (index, cell) in cells.enumerated() where index < columns.count {
        if index > 0 { line += "  " }
        let padding = String(repeating: " ", count: widths[index] - cell.count)
        line += columns[index].isRightAligned ? padding + cell : cell + padding
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  /// Text from images and other programs, without anything a terminal would obey.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.printedFileNames.unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "\u{FFFD}"
          default: scalar
          }
        }))
  }
}
