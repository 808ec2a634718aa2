import Qcow2
import TestOracles
import Testing

/// Every format with every operation, pair by pair: what qemu's programs find afterwards.
@Suite("Format matrix") struct FormatMatrixTests {
  @Test(
    "qemu finds the image clean and every state as it should be, and goes on with it",
    arguments: MatrixCell.all)
  func cell(_ cell: MatrixCell) throws {
    let program = try Program()
    let image = try FormattedImage(cell.format, in: program.directory)
    let script = GuestScript(image)
    // Refcounts of one bit allow a snapshot of nothing only.
    if cell.format.refcountBits == 1 { try image.snapshot("-c", "a") }
    try script.first()
    if cell.format.refcountBits > 1 { try image.snapshot("-c", "a") }
    try script.second()
    if let damage = cell.damage {
      try damage.apply(to: image)
      #expect(try image.check().status != 0)
    }
    let before = try states(image)
    let bitmaps = try image.bitmaps()
    let bytes = try GuestContent(ofFile: image.path)

    let target = cell.operation == .repair ? [image.path] : ["--file", image.path]
    let result = try program.attempt(cell.arguments + target)
    if let refusal = cell.refusal {
      #expect(result.status == refusal.code, "\(result.failure())")
      #expect(result.standardError.contains(refusal.words), "\(result.standardError)")
      let isUntouched = try GuestContent(ofFile: image.path) == bytes
      #expect(isUntouched)
      return
    }
    try #require(result.status == 0, "\(result.failure())")
    let after = cell.outcome(of: before)
    try expect(image, after)
    #expect(try image.bitmaps() == bitmaps)
    try goOn(image, after)
  }

  /// QEMU writes, and makes and removes snapshots; the other states stay.
  private func goOn(_ image: FormattedImage, _ states: [String: GuestContent]) throws {
    var left = states
    if let tag = states.keys.filter({ !$0.isEmpty }).min() {
      try image.snapshot("-d", tag)
      left[tag] = nil
    }
    if image.format.refcountBits > 1 { try image.snapshot("-c", "q") }
    try image.io(["write -P 99 \(image.format.diskSize / 32) \(image.format.diskSize / 2)"])
    if image.format.refcountBits > 1 {
      left["q"] = left[""]
      left[""] = try image.content()
      try expect(image, left)
      try image.snapshot("-d", "q")
      left["q"] = nil
    } else {
      left[""] = try image.content()
    }
    try expect(image, left)
    // Whoever opens an image for writing marks its bitmaps as in use, until it closes it well.
    let names = try image.bitmaps()?.array?.compactMap { bitmap in
      bitmap["flags"] == .array([.string("auto")]) ? bitmap["name"]?.string : nil
    }
    #expect(names == (image.format.kind == .bitmaps ? ["daily", "weekly"] : nil))
  }

  /// The content of the active state, under the empty name, and of all snapshots.
  private func states(_ image: FormattedImage) throws -> [String: GuestContent] {
    var states = ["": try image.content()]
    for tag in try image.tags() { states[tag] = try image.content(of: tag) }
    return states
  }

  /// Fails the test unless both checks find nothing and each state is as it should be.
  private func expect(
    _ image: FormattedImage, _ states: [String: GuestContent],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let check = try image.check()
    #expect(check.status == 0, "\(check.failure())", sourceLocation: sourceLocation)
    let report = try Image.open(image.path, for: .check).check()
    #expect(report.exitCode == 0, "\(report.messages)", sourceLocation: sourceLocation)
    let found = try self.states(image)
    #expect(found.keys.sorted() == states.keys.sorted(), sourceLocation: sourceLocation)
    for (tag, content) in states {
      let isEqual = found[tag] == content
      #expect(isEqual, "the content of '\(tag)' is another", sourceLocation: sourceLocation)
    }
  }
}
