import Testing

@Suite struct PairwiseCoverTests {
  @Test("Every pair that is possible occurs, and far fewer combinations than there are")
  func covers() {
    let levels = [2, 3, 4, 5]
    // Two of the pairs never occur: level 0 of the first with level 0 or 1 of the last.
    let isAllowed = { (row: [Int]) in row[0] == 1 || row[3] > 1 }
    let cover = PairwiseCover(levels: levels, where: isAllowed)
    #expect(cover.rows.allSatisfy(isAllowed))
    var found: Set<[Int]> = []
    for row in cover.rows {
      for first in row.indices {
        for second in row.indices where second > first {
          found.insert([first, row[first], second, row[second]])
        }
      }
    }
    let all = 2 * 3 + 2 * 4 + 2 * 5 + 3 * 4 + 3 * 5 + 4 * 5
    #expect(cover.pairCount == all - 2)
    #expect(found.count == cover.pairCount)
    #expect((20...30).contains(cover.rows.count))
  }
}
