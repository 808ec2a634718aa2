/// What somebody said in a conversation.
public struct Transcript: Sendable {
  /// The reply to each step.
  public private(set) var replies: [JSONValue] = []
  /// The status changes of jobs in order, as `id status`; without the jobs that end in their own way.
  public private(set) var statusChanges: [String] = []
  /// The names of the other events in order; without those of a guest that goes on or rests.
  public private(set) var otherEvents: [String] = []

  /// Holds a conversation.
  ///
  /// - Parameters:
  ///   - steps: what is said.
  ///   - partner: who answers.
  ///   - directory: where its disks are.
  /// - Throws: what keeps it from being held to its end.
  public init(
    of steps: [ConversationStep], with partner: any ConversationPartner, directory: String
  ) async throws {
    for step in steps {
      let arguments = step.arguments.map { Self.replacing("DIR", with: directory, in: $0) }
      let reply = try await partner.answer(step.command, arguments)
      replies.append(reply.normalized(directory: directory))
      if let job = step.awaitedJob { try await Self.wait(for: job, of: partner) }
    }
    for event in try await partner.events() {
      let name = event["event"]?.string ?? ""
      if let change = event.statusChange {
        if !change.hasPrefix(SnapshotConversation.ownJobPrefix) { statusChanges.append(change) }
      } else if !["STOP", "RESUME"].contains(name) {
        otherEvents.append(name)
      }
    }
  }

  private static func wait(for job: String, of partner: any ConversationPartner) async throws {
    while true {
      let jobs = try await partner.answer("query-jobs", nil)["return"]?.array ?? []
      guard let info = jobs.first(where: { $0["id"]?.string == job }) else {
        throw OracleError("there is no job \(job)")
      }
      if info["status"]?.string == "concluded" { return }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  static func replacing(_ word: String, with other: String, in text: String) -> String {
    text.split(separator: word, omittingEmptySubsequences: false).joined(separator: other)
  }

  /// Where another transcript of the same steps is not as it should be.
  ///
  /// - Parameters:
  ///   - ours: what snapjob said.
  ///   - steps: what both were asked.
  /// - Returns: a text for each step that differs without a reason, or no longer differs.
  public func differences(from ours: Transcript, in steps: [ConversationStep]) -> [String] {
    var differences: [String] = []
    for (index, step) in steps.enumerated() {
      let (their, our) = (replies[index], ours.replies[index])
      let isSame = their.says(our)
      guard isSame == (step.difference != nil) else { continue }
      let reason = step.difference.map { "no longer differs (\($0))" } ?? "differs"
      differences.append(
        "\(index): \(step.command) \(step.arguments ?? "") \(reason)\nQEMU: \(their)\nours: \(our)")
    }
    return differences
  }
}

extension JSONValue {
  /// What a `JOB_STATUS_CHANGE` tells, as `id status`; nil for other events.
  public var statusChange: String? {
    guard self["event"]?.string == "JOB_STATUS_CHANGE", let data = self["data"] else { return nil }
    return "\(data["id"]?.string ?? "") \(data["status"]?.string ?? "")"
  }
}
