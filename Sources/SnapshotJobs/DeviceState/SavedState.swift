internal import Jobs
internal import Qcow2

/// The device state that a save puts into one of its snapshots.
struct SavedState {
  /// The member that gets it.
  let member: Int
  /// Bytes of it.
  let byteCount: UInt64
  /// Whether nothing is copied.
  let isShared: Bool
  /// Whether it waited in a file until now.
  let wasStaged: Bool
  private let makeState: (inout ImageDraft) throws(Qcow2Error) -> VMState

  /// The state for the member's new snapshot.
  ///
  /// - Parameter draft: the member's, before any edit.
  /// - Returns: the state.
  /// - Throws: `Qcow2Error` if it cannot be found.
  func vmState(in draft: inout ImageDraft) throws(Qcow2Error) -> VMState { try makeState(&draft) }

  /// Finds the present state and the place for it; nil if there is none, or it is to be left out.
  ///
  /// - Parameters:
  ///   - request: asks for a snapshot of the present.
  ///   - finding: what goes with the images.
  ///   - images: the images.
  ///   - remarks: gets what the user is to know.
  /// - Throws: `JobError` (conflict) if the state cannot be saved and the request insists on it.
  init?(
    _ request: SnapshotRequest, _ finding: PresentState.Finding, _ images: OpenImages,
    remarks: inout [String]
  ) throws(JobError) {
    let members = images.members
    let source: PresentState.Source
    switch finding {
    case .none: return nil
    case .unusable(let reason, _) where request.requiresState == true && !request.diskOnly:
      throw JobError(
        .conflict,
        "The machine's device state cannot be saved: \(reason). Without it: --disk-only, or leave "
          + "--vmstate out")
    case .unusable(let reason, _):
      if !request.diskOnly {
        remarks.append("The machine's device state is left out of the snapshot: \(reason).")
      }
      return nil
    case .usable(let found): source = found
    }
    if request.diskOnly { return nil }
    let chosen = request.vmstate.flatMap { name in
      members.firstIndex { $0.node.name.description == name }
    }
    switch source {
    case .snapshot(let keeper, let position):
      let snapshot = members[keeper].image.snapshots[position]
      member = chosen ?? keeper
      byteCount = snapshot.vmStateSize
      wasStaged = false
      isShared = member == keeper
      makeState = { [isShared] (draft) throws(Qcow2Error) in
        if isShared { return try draft.vmState(ofSnapshot: position) }
        return .copied(
          from: try source.open(images), vmClockNanoseconds: snapshot.vmClockNanoseconds,
          icount: snapshot.icount)
      }
    case .file:
      let file: any VMStateSource
      do throws(Qcow2Error) {
        file = try source.open(images)
      } catch {
        throw JobError(error)
      }
      member = chosen ?? 0
      byteCount = file.byteCount
      isShared = false
      wasStaged = true
      makeState = { (_) throws(Qcow2Error) in .copied(from: file) }
    }
  }
}
