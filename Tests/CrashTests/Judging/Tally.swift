import Glibc
import Synchronization

/// What was counted, in rows of a table.
final class Tally: Sendable {
  /// What must never be seen.
  enum Damage: String, Sendable, CaseIterable {
    case unclean, mixed, bytes = "bytes wrong", lost = "writes lost", stuck
  }

  /// One row.
  struct Counts: Sendable {
    var states = 0
    var damages: [Damage: Int] = [:]
    /// States in which the one chain was seen that is left open for an image alone.
    var lone = 0
    /// How many of them lost something.
    var loneDamaged = 0
  }

  private struct State {
    var rows: [String: Counts] = [:]
    var total = Counts()
    var examples: [String] = []
    var images = 0
    var converted = 0
  }

  private let state = Mutex(State())
  private static let exampleLimit = 40

  /// Enters one distinct state into the rows that it belongs to.
  func enter(_ damages: [(Damage, String)], rows: [String], story: String, isLoneChain: Bool) {
    state.withLock { state in
      func count(_ counts: inout Counts) {
        counts.states += 1
        if isLoneChain {
          counts.lone += 1
          if !damages.isEmpty { counts.loneDamaged += 1 }
        } else {
          for damage in Set(damages.map(\.0)) { counts.damages[damage, default: 0] += 1 }
        }
      }
      for row in rows { count(&state.rows[row, default: Counts()]) }
      count(&state.total)
      if !isLoneChain, let first = damages.first, state.examples.count < Self.exampleLimit {
        let example = "\(rows.joined(separator: ", ")): \(story): \(first.0): \(first.1)"
        state.examples.append(example)
        // Whoever waits for the long form sees it at once.
        print(example)
        fflush(nil)
      }
    }
  }

  func addImages(_ count: Int, converted: Int) {
    state.withLock {
      $0.images += count
      $0.converted += converted
    }
  }

  var total: Counts { state.withLock { $0.total } }
  var rows: [String: Counts] { state.withLock { $0.rows } }
  /// The first damages, told.
  var examples: [String] { state.withLock { $0.examples } }
  var damageCount: Int { total.damages.values.reduce(0, +) }

  /// The table, rows in this order.
  func table(_ order: [String]) -> String {
    let columns = ["", "states"] + Damage.allCases.map(\.rawValue) + ["lone chain", "it lost"]
    var lines = [columns]
    let rows = rows
    for name in order {
      guard let counts = rows[name] else { continue }
      lines.append(Self.line(name, counts))
    }
    lines.append(Self.line("all", total))
    let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    let text = lines.map { line in
      line.enumerated().map { index, cell in
        let padding = String(repeating: " ", count: widths[index] - cell.count)
        return index == 0 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }.joined(separator: "\n")
    let images = state.withLock { ($0.images, $0.converted) }
    return text
      + "\n\(images.0) distinct images were judged by qemu-img check, \(images.1) of them read by "
      + "qemu-img convert as well"
  }

  private static func line(_ name: String, _ counts: Counts) -> [String] {
    [name, "\(counts.states)"] + Damage.allCases.map { "\(counts.damages[$0] ?? 0)" }
      + ["\(counts.lone)", "\(counts.loneDamaged)"]
  }
}
