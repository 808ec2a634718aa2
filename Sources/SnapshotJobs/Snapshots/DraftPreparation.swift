internal import Jobs
internal import Qcow2

/// Brings drafts onto their images: first all refcounts are worked out, then everything new is
/// written, on all images at once.
struct DraftPreparation {
  let access: ImageAccess
  let control: JobControl

  private typealias Work = (
    node: Node, draft: ImageDraft, deviceState: DeviceStateNote?, staged: StagedStateStamp?
  )

  /// Prepares the images of drafts.
  ///
  /// - Parameters:
  ///   - drafts: one for each member; nil for a member that is left alone.
  ///   - members: the images.
  ///   - states: what the images go with afterwards; nil to have each go on with its device state where the
  ///     guest's data stay as they are.
  /// - Returns: the images that change, ready to be published.
  /// - Throws: what went wrong; every image is as it was then, unless the text says otherwise.
  func prepare(
    _ drafts: [ImageDraft?], of members: [OpenImages.Member], states: StateTransition? = nil
  ) throws -> [PreparedSnapshots.Member] {
    let states = try states ?? StateTransition(carrying: drafts, of: members, log: access.log)
    let settled = try settle(
      members.indices.compactMap { index in
        drafts[index].map {
          (
            node: members[index].node, draft: $0, deviceState: states.notes[index],
            staged: states.staged[index]
          )
        }
      })
    return try write(settled)
  }

  /// Works out the new refcounts of all images at once; nothing is written before all have succeeded.
  private func settle(_ work: [Work]) throws -> [Work] {
    // Every table that is read may have to be written anew; put right once that is known.
    work.forEach { control.foresee(2 * $0.draft.settleByteCount) }
    let outcomes = runInParallel(work) { item in
      var draft = item.draft
      do {
        try draft.settle { try control.advance($0) }
      } catch {
        throw JobError(wrapping: error, node: item.node.name.description)
      }
      return (
        node: item.node, draft: draft, deviceState: item.deviceState, staged: item.staged
      )
    }
    return try outcomes.map { try $0.get() }
  }

  /// Writes everything new; if one image fails, the others are undone.
  private func write(_ settled: [Work]) throws -> [PreparedSnapshots.Member] {
    let outcomes = runInParallel(settled) { item in
      do {
        let estimate = item.draft.writeByteCountEstimate
        control.foresee(estimate - item.draft.settleByteCount)
        let prepared = try item.draft.prepare { try control.advance($0) }
        control.foresee(prepared.bytesWritten - estimate)
        return PreparedSnapshots.Member(
          node: item.node, prepared: prepared, deviceState: item.deviceState,
          staged: item.staged)
      } catch {
        throw JobError(wrapping: error, node: item.node.name.description)
      }
    }
    do {
      let members = try outcomes.map { try $0.get() }
      try control.checkpoint()
      return members
    } catch {
      throw undo(outcomes.compactMap { try? $0.get() }, because: error)
    }
  }

  /// Undoes what was prepared, whatever becomes of each image; returns what to throw.
  private func undo(
    _ members: [PreparedSnapshots.Member], because cause: any Error
  ) -> any Error {
    var failure: JobError?
    for member in members {
      do {
        try member.prepared.undo()
      } catch {
        failure = failure ?? JobError(error, node: member.node.name.description)
      }
    }
    guard let failure else { return cause }
    let cause = JobError(wrapping: cause)
    return JobError(
      cause.kind, "\(cause.message); undoing it is incomplete: \(failure.message)")
  }
}
