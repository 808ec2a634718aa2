import Testing

/// Power fails, or a write does, at every single point of a job: each disk is whole before recovery,
/// and all are old or all are new after it.
@Suite(.serialized) struct PowerFailureTests {
  @Test(arguments: Rehearsal.Piece.allCases)
  func `after a power failure at any point all disks are old or all are new`(
    piece: Rehearsal.Piece
  ) throws {
    let rehearsal = try Rehearsal(piece)
    var point = 1
    var lost = FaultyStorage.Survivors.allCases.startIndex
    while try rehearsal.rehearse(
      .powerLoss(at: point, survivors: FaultyStorage.Survivors.allCases[lost]))
    {
      point += 1
      lost = (lost + 1) % FaultyStorage.Survivors.allCases.count
    }
    // Content, a fence and a sector with an fsync each for both disks, and three steps of the catalog.
    #expect(point > 14)
  }

  @Test(arguments: Rehearsal.Piece.allCases)
  func `after an error of the storage at any point all disks are old or all are new`(
    piece: Rehearsal.Piece
  ) throws {
    let rehearsal = try Rehearsal(piece)
    var point = 1
    while try rehearsal.rehearse(.error(at: point, isDone: point.isMultiple(of: 2))) {
      point += 1
    }
    #expect(point > 14)
  }

  @Test(arguments: [Rehearsal.Piece.load, .delete])
  func `after a second power failure, during recovery, all disks are old or all are new`(
    piece: Rehearsal.Piece
  ) throws {
    let rehearsal = try Rehearsal(piece)
    let storage = FaultyStorage()
    try rehearsal.restoreDisks()
    try rehearsal.bench.restart()
    _ = try rehearsal.perform(storage)
    // The commit's last steps: record, fence, publish, done; then space is given back.
    var count = 0
    for first in storage.operationCount - 14...storage.operationCount {
      var second = 1
      while try rehearsal.rehearse(
        .powerLoss(at: first, survivors: .all),
        duringRecovery: .powerLoss(at: second, survivors: .some))
      {
        second += 3
        count += 1
      }
    }
    #expect(count > 5)
  }
}
