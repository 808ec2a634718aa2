/// How jobs that are started together end (`ActionCompletionMode` of qapi/transaction.json).
public enum JobGrouping: String, Sendable, Hashable, CaseIterable {
  /// Each is committed or undone on its own.
  case individual
  /// They are committed together or undone together.
  case grouped
}
