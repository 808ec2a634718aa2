/// One command of a conversation that is held with several QMP servers, to compare their replies.
public struct ConversationStep: Sendable {
  /// The command's name.
  public let command: String
  /// Its arguments as JSON, of whatever kind; nil for none. `DIR` stands for the server's directory.
  public let arguments: String?
  /// A job that is to be concluded before the next step; nil to go on at once.
  public private(set) var awaitedJob: String?
  /// Why the replies differ; nil where they must be the same.
  public private(set) var difference: IntendedDifference?

  /// Makes a step.
  public init(_ command: String, _ arguments: String? = nil) {
    self.command = command
    self.arguments = arguments
  }

  /// The same step, with a job to wait for.
  public func awaiting(_ job: String) -> ConversationStep {
    var step = self
    step.awaitedJob = job
    return step
  }

  /// The same step, whose reply differs for a reason.
  public func differing(_ difference: IntendedDifference) -> ConversationStep {
    var step = self
    step.difference = difference
    return step
  }
}

/// Where snapjob says something else than QEMU 7.2, and why; for users it is told in the documentation
/// of `Monitor`, "Differences from QEMU".
public enum IntendedDifference: String, Sendable, CaseIterable {
  /// The guest of a stored machine does not run: another run state, no CPU, nothing to resume.
  case guestDoesNotRun
  /// The error says what to do next, after QEMU's words.
  case nextStep
  /// The version and the package are snapjob's.
  case version
  /// QEMU can cut its own monitor's connection; here there is nothing to cut.
  case nothingToYank
  /// QEMU has a node of its own for the file below each image.
  case protocolNodes
  /// QEMU has no `info jobs`.
  case infoJobs
  /// QEMU does not load a snapshot without device state; without a guest that is what there is.
  case diskOnlyLoad
  /// QEMU makes a second snapshot of a tag that only some devices have.
  case partialTag
  /// QEMU takes a snapshot twice on a device that is listed twice.
  case repeatedDevice
  /// QEMU accepts an empty tag.
  case emptyTag
  /// A capability or parameter means nothing without a guest: QEMU takes it.
  case noGuest
  /// QEMU cuts a long tag without a word.
  case longTag
  /// A bitmap that is not persistent would be gone at once where no guest runs.
  case passingBitmap
  /// An action of a transaction sees what those before it have done to bitmaps; in QEMU it does not.
  case bitmapActionOrder
  /// QEMU has the snapshot jobs as commands only, not as actions of a transaction.
  case jobActions
}
