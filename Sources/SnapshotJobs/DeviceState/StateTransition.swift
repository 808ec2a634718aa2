internal import Jobs
internal import Qcow2

/// What a change of images makes of the device states that go with them.
struct StateTransition {
  /// What each member's image goes with once it is published; nil for nothing, or for a member that does not
  /// change.
  var notes: [DeviceStateNote?]
  private let outdated: [DeviceStateID]

  /// A change with these notes.
  ///
  /// - Parameters:
  ///   - present: what the images go with now.
  ///   - notes: one for each member.
  init(from present: PresentState, to notes: [DeviceStateNote?]) {
    self.notes = notes
    outdated = present.outdated
  }

  /// A change in which each image goes on with its state where the guest's data stay as they are.
  init(
    carrying drafts: [ImageDraft?], of members: [OpenImages.Member], log: any CommitLog
  ) throws(JobError) {
    let present = try PresentState(members, log: log)
    self.init(from: present, to: try present.carried(through: drafts, members).notes)
  }

  /// Forgets what other programs have outdated; to be done before an image is marked.
  func strikeOut(in log: any CommitLog) throws(JobError) {
    if !outdated.isEmpty { try log.forgetDeviceStates(outdated) }
  }
}
