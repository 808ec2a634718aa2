/// What a client can enable when it begins.
public enum QMPCapability: String, Sendable, Hashable, CaseIterable {
  /// Commands that overtake others.
  case outOfBand = "oob"
  /// snapjob's own: the `error` of a reply has a member `x-kind` with the kind of failure, from which
  /// the command line makes its exit codes. QMP itself knows hardly more than `GenericError`.
  case failureKind = "x-snapjob-kind"

  /// The member of `error` that ``failureKind`` adds.
  static let failureKindMember = "x-kind"
}
