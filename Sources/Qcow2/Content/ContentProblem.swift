/// A part of a state that is damaged.
public struct ContentProblem: Sendable, Hashable {
  /// The guest's bytes: offsets on the disk; those of VM state begin behind all that the disk's tables
  /// stand for.
  public let range: Range<UInt64>
  /// What is wrong with them.
  public let text: String

  /// Makes one.
  public init(range: Range<UInt64>, text: String) {
    self.range = range
    self.text = text
  }
}

/// Problems while they are collected.
struct ContentProblems: Sendable, Hashable {
  /// The first ones in the order they were found; at most ``maximumCount``.
  private(set) var list: [ContentProblem] = []
  /// All of them.
  private(set) var count = 0

  /// How many are kept: enough to see a pattern.
  static let maximumCount = 1000

  /// Notes a problem; one that goes on where the last one ended extends it.
  mutating func note(_ text: String, _ range: Range<UInt64>) {
    if let last = list.last, last.text == text, last.range.upperBound == range.lowerBound {
      list[list.count - 1] = ContentProblem(
        range: last.range.lowerBound..<range.upperBound, text: text)
      return
    }
    count += 1
    if list.count < Self.maximumCount { list.append(ContentProblem(range: range, text: text)) }
  }

  /// Notes what others have collected, each of it so many bytes further on.
  mutating func append(_ others: ContentProblems, movedBy distance: UInt64 = 0) {
    for problem in others.list.prefix(Self.maximumCount - list.count) {
      let range = problem.range
      list.append(
        ContentProblem(
          range: range.lowerBound + distance..<range.upperBound + distance, text: problem.text))
    }
    count += others.count
  }
}
