import Testing

/// A format and what is done to an image of it.
struct MatrixCell: Sendable, CustomTestStringConvertible {
  /// What snapjob does.
  enum Operation: String, Sendable, CaseIterable {
    case save, load, delete, replace, saveCurrent, repair
  }

  let format: ImageFormat
  let operation: Operation

  var testDescription: String { "\(operation): \(format.testDescription)" }

  /// Combinations in which every possible pair of version, cluster size, refcount width, kind and
  /// operation occurs.
  static let all: [MatrixCell] = {
    let cell = { (row: [Int]) in
      MatrixCell(
        format: ImageFormat(
          version: row[0] + 2, clusterSize: ImageFormat.clusterSizes[row[1]],
          refcountBits: ImageFormat.refcountWidths[row[2]], kind: ImageFormat.Kind.allCases[row[3]]),
        operation: Operation.allCases[row[4]])
    }
    let cover = PairwiseCover(
      levels: [
        2, ImageFormat.clusterSizes.count, ImageFormat.refcountWidths.count,
        ImageFormat.Kind.allCases.count, Operation.allCases.count,
      ],
      where: { cell($0).format.isPossible })
    return cover.rows.map(cell)
  }()

  /// What is wrong with the image before: an image with late refcounts has always been left by a program
  /// that died.
  var damage: Damage? {
    if format.kind == .lazyRefcounts { return .notClosed }
    guard operation == .repair else { return nil }
    let damages: [Damage] = [.leak, .wrongFlag, .countedAsFree]
    return damages[format.clusterSize.trailingZeroBitCount % damages.count]
  }

  /// snapjob's words for it, on an image with the snapshot `a`.
  var arguments: [String] {
    switch operation {
    case .save: ["save", "--tag", "b"]
    case .load: ["load", "--tag", "a", "--yes"]
    case .delete: ["delete", "--tag", "a", "--yes"]
    case .replace: ["save", "--tag", "a", "--replace"]
    case .saveCurrent: ["load", "--tag", "a", "--save-current", "b", "--yes"]
    case .repair: ["check", "--repair", "all"]
    }
  }

  /// Why it is refused: the exit code and what the message must say; nil if it is not.
  var refusal: (code: Int32, words: String)? {
    switch operation {
    case .save, .replace:
      // Data that only the active state refers to have one reference already.
      format.refcountBits == 1 ? (9, "this image's refcounts end at 1") : nil
    case .load, .saveCurrent, .delete, .repair: nil
    }
  }

  /// What the states are afterwards.
  ///
  /// - Parameter before: what they were: `a`, and the active one under the empty name.
  /// - Returns: what they must be.
  func outcome(of before: [String: GuestContent]) -> [String: GuestContent] {
    var after = before
    switch operation {
    case .save: after["b"] = before[""]
    case .load: after[""] = before["a"]
    case .delete: after["a"] = nil
    case .replace: after["a"] = before[""]
    case .saveCurrent:
      after[""] = before["a"]
      after["b"] = before[""]
    case .repair: break
    }
    return after
  }
}
