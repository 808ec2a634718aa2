public import Jobs

/// Which of a machine's snapshots stay: the newest of those that snapjob made and whose tags match.
public struct RetentionPolicy: Sendable, Hashable {
  /// What becomes of one tag, and why.
  public struct Verdict: Sendable, Hashable {
    /// The tag.
    public let tag: String
    /// Whether it stays.
    public let isKept: Bool
    /// Why, for people.
    public let reason: String
  }

  /// The pattern for tags.
  public let match: Glob
  /// How many of the newest stay.
  public let keptCount: Int

  /// Makes a policy.
  ///
  /// - Parameters:
  ///   - pattern: for tags; other tags stay.
  ///   - keptCount: how many of the newest stay.
  /// - Throws: `JobError` (usage) for an empty pattern, or if none would stay.
  public init(match pattern: String, keepLast keptCount: Int) throws(JobError) {
    guard !pattern.isEmpty else {
      throw JobError(.usage, "The pattern for tags is empty; '*' means all that snapjob made")
    }
    guard keptCount > 0 else {
      throw JobError(
        .usage,
        "At least one snapshot has to be kept; to remove all of them, name them: "
          + "\(NextStep("delete", "--tag", "TAG"))")
    }
    match = Glob(pattern)
    self.keptCount = keptCount
  }

  /// Decides on each tag.
  ///
  /// - Parameters:
  ///   - snapshots: those first that were taken first.
  ///   - isOwn: whether a snapshot is one that snapjob made.
  /// - Returns: one verdict for each, in the same order.
  public func verdicts(
    on snapshots: [SnapshotListing],
    isOwn: (SnapshotKey) -> Bool
  ) -> [Verdict] {
    let objections = snapshots.map { objection(to: $0, isOwn) }
    let candidates = snapshots.indices.filter { objections[$0] == nil }
    let kept = Set(candidates.suffix(keptCount))
    let newest = keptCount == 1 ? "the newest" : "the \(keptCount) newest"
    return snapshots.indices.map { index in
      let snapshot = snapshots[index]
      if let objection = objections[index] {
        return Verdict(tag: snapshot.tag, isKept: true, reason: objection)
      }
      let isKept = kept.contains(index)
      let place = keptCount == 1 ? "the newest" : "one of \(newest)"
      let reason =
        (isKept ? place : "older than \(newest)") + " that match"
        + (keptCount == 1 ? "es" : "") + Self.remark(on: snapshot)
      return Verdict(tag: snapshot.tag, isKept: isKept, reason: reason)
    }
  }

  /// Why the policy does not concern a tag; nil if it does.
  private func objection(
    to snapshot: SnapshotListing, _ isOwn: (SnapshotKey) -> Bool
  ) -> String? {
    let foreign = snapshot.devices.filter { !isOwn(snapshot.key(of: $0)) }
    if !foreign.isEmpty {
      let isAll = foreign.count == snapshot.devices.count
      let place = isAll ? "" : " on " + foreign.map(\.node.description).joined(separator: ", ")
      return "not made by snapjob\(place)"
    }
    // Which of them is meant, nobody can say.
    let nodes = snapshot.devices.map(\.node)
    if let twin = nodes.first(where: { node in nodes.count { $0 == node } > 1 }) {
      return "several snapshots are called so on \(twin)"
    }
    return match.matches(snapshot.tag) ? nil : "does not match \(match)"
  }

  private static func remark(on snapshot: SnapshotListing) -> String {
    if snapshot.missingNodes.isEmpty { return "" }
    return "; not on " + snapshot.missingNodes.map(\.description).joined(separator: ", ")
  }
}
