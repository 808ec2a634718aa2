internal import Jobs
internal import Qcow2

/// What a change of images makes of the device states that go with them.
struct StateTransition {
  /// What each member's image goes with once it is published; nil for nothing, or for a member that does not
  /// change.
  var notes: [DeviceStateNote?]
  /// What says of each member that a state which waits goes with it now; it is to be said again if the change is
  /// undone. Nil where nothing does.
  let staged: [StagedStateStamp?]

  /// A change with these notes.
  ///
  /// - Parameters:
  ///   - present: what the images go with now.
  ///   - members: the images.
  ///   - notes: one for each member.
  init(from present: PresentState, _ members: [OpenImages.Member], to notes: [DeviceStateNote?]) {
    self.notes = notes
    staged = members.indices.map { index in
      guard let commit = present.commits[index], let note = present.notes[index],
        let stamp = present.stamps[index], note.stamp == stamp
      else { return nil }
      return StagedStateStamp(commit: commit, path: note.path, old: note.stamp, new: stamp)
    }
  }

  /// A change in which each image goes on with its state where the guest's data stay as they are.
  init(
    carrying drafts: [ImageDraft?], of members: [OpenImages.Member], log: any CommitLog
  ) throws(JobError) {
    let present = try PresentState(members, log: log)
    self.init(from: present, members, to: try present.carried(through: drafts, members).notes)
  }
}

extension PresentState {
  /// What the images go with after a change, and what was lost by it.
  struct Carried {
    /// One element for each member; nil for nothing, and for members that do not change.
    var notes: [DeviceStateNote?]
    /// A member, that which keeps the state before others, of which the last snapshot goes that its state depends
    /// on; nil if there is none. Its note goes on and says so.
    var lost: Int?
  }

  /// Carries the notes through drafts: guest data that stay as they are go on with their state, by whatever
  /// snapshot it is known then.
  ///
  /// A note that does not hold any more goes on, too: it holds no more than before, and the next save tells.
  ///
  /// - Parameters:
  ///   - drafts: one for each member, with all edits; nil for a member that is left alone.
  ///   - members: the images.
  /// - Returns: the notes for the same commit.
  /// - Throws: `JobError` if an image's tables cannot be read.
  func carried(
    through drafts: [ImageDraft?], _ members: [OpenImages.Member]
  ) throws(JobError) -> Carried {
    var result = Carried(notes: notes.map { _ in nil })
    for (index, draft) in drafts.enumerated() {
      guard let draft, !draft.changesGuestData, var note = noteOfNextCommit(index) else {
        continue
      }
      let image = members[index].image
      if let snapshot = note.snapshot, let position = snapshot.position(in: image.snapshots) {
        do throws(Qcow2Error) {
          if let heir = try draft.heir(ofSnapshot: position, keepingState: note.isKeeper) {
            note.snapshot = heir
          } else if result.lost == nil || note.isKeeper {
            result.lost = index
          }
        } catch {
          throw JobError(error, node: members[index].node.name.description)
        }
      }
      result.notes[index] = note
    }
    return result
  }

  /// What an image goes on with under another commit that leaves its snapshots and what the guest sees as they are;
  /// nil for nothing.
  ///
  /// Length and time of the file are noted anew once that commit is there; where they do not fit now, they never will.
  func noteOfNextCommit(_ index: Int) -> DeviceStateNote? {
    guard var note = notes[index] else { return nil }
    note.path = path(index)
    if let stamp = stamps[index], note.stamp == stamp { note.stamp = nil }
    return note
  }
}

extension ImageDraft {
  /// The snapshot, of those that there will be, that is of the very state that one of the image's is of: that one
  /// itself if it stays.
  ///
  /// - Parameters:
  ///   - position: the snapshot's, in the image.
  ///   - keepingState: whether the same VM state has to be in it, too.
  /// - Returns: the snapshot; nil if there will be none.
  /// - Throws: `Qcow2Error` if a table cannot be read.
  fileprivate func heir(
    ofSnapshot position: Int, keepingState: Bool
  ) throws(Qcow2Error) -> SnapshotIdentity? {
    let identity = SnapshotIdentity(image.snapshots[position])
    if identity.position(in: snapshots) != nil { return identity }
    var found = try positions(equalTo: position)
    if keepingState {
      let state = try ImageDraft(image).vmState(ofSnapshot: position)
      let keepers = Set(try positions(keeping: state))
      found = found.filter(keepers.contains)
    }
    return found.lazy.map { SnapshotIdentity(snapshots[$0]) }
      .first { $0.position(in: snapshots) != nil }
  }
}
