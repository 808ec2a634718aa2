/// Few combinations of several factors' levels in which every possible pair of levels occurs.
///
/// Greedy: each round takes the combination that covers most of the pairs still missing, the first of
/// equals, so the same factors always give the same combinations.
struct PairwiseCover {
  /// The chosen combinations: one level for each factor.
  let rows: [[Int]]
  /// How many pairs of levels occur in any allowed combination.
  let pairCount: Int

  /// Finds the combinations.
  ///
  /// - Parameters:
  ///   - levels: how many levels each factor has.
  ///   - isAllowed: whether a combination is possible at all; a pair that occurs in none is left out.
  init(levels: [Int], where isAllowed: ([Int]) -> Bool) {
    let numbering = PairNumbering(levels)
    let candidates = Self.combinations(of: levels).filter(isAllowed)
    let pairs = candidates.map(numbering.pairs)
    var isMissing = [Bool](repeating: false, count: numbering.count)
    for pair in pairs.joined() { isMissing[pair] = true }
    var missingCount = isMissing.count { $0 }
    pairCount = missingCount
    var rows: [[Int]] = []
    while missingCount > 0 {
      var best = 0
      var bestCount = 0
      for index in pairs.indices {
        var count = 0
        for pair in pairs[index] where isMissing[pair] { count += 1 }
        if count > bestCount { (best, bestCount) = (index, count) }
      }
      for pair in pairs[best] { isMissing[pair] = false }
      missingCount -= bestCount
      rows.append(candidates[best])
    }
    self.rows = rows
  }

  private static func combinations(of levels: [Int]) -> [[Int]] {
    levels.reduce([[]]) { rows, count in
      rows.flatMap { row in (0..<count).map { row + [$0] } }
    }
  }
}

/// A number for each pair of levels of two different factors.
private struct PairNumbering {
  private let starts: [Int]
  /// How many levels all factors have together, squared.
  let count: Int
  private let levelCount: Int

  init(_ levels: [Int]) {
    var starts: [Int] = []
    var sum = 0
    for count in levels {
      starts.append(sum)
      sum += count
    }
    self.starts = starts
    levelCount = sum
    count = sum * sum
  }

  func pairs(of row: [Int]) -> [Int] {
    row.indices.flatMap { first in
      row.indices[(first + 1)...].map { second in
        (starts[first] + row[first]) * levelCount + starts[second] + row[second]
      }
    }
  }
}
