import FileNames
internal import Jobs
internal import Qcow2

/// What actions do to the images that they found, one after the other.
///
/// The texts are QEMU's (blockdev.c) where it has one.
struct ImageActionPlan {
  /// The draft of each member, not settled yet.
  let drafts: [ImageDraft]
  /// What the actions remove, in their order.
  let removed: [Snapshot]

  init(
    _ actions: [ImageAction], _ members: [OpenImages.Member], sources: [OpenImages.Member],
    date: ImageDraft.SnapshotDate
  ) throws(JobError) {
    var drafts: [ImageDraft] = []
    for member in members { drafts.append(try Self.draft(of: member)) }
    var taken: [(index: Int, name: String)] = []
    var removed: [Snapshot] = []
    for action in actions {
      guard let index = members.firstIndex(where: { $0.node.name.description == action.node })
      else { throw .deviceNotFound(action.node) }
      let member = members[index]
      switch action {
      case .bitmap(let action):
        var editing = BitmapEditing(drafts, of: members, sources: sources)
        try editing.perform(action)
        for (index, set) in editing.sets.enumerated() { drafts[index].bitmaps = set }
      case .snapshot(.take(let device, let name)):
        let isTaken =
          member.image.snapshots.contains { $0.isCalled(name) }
          || taken.contains { $0.index == index && $0.name.hasSameBytes(as: name) }
        guard !isTaken else {
          throw JobError(
            .conflict, "Snapshot with name '\(name)' already exists on device '\(device)'")
        }
        do throws(Qcow2Error) {
          try drafts[index].takeSnapshot(tag: name, date: date)
        } catch {
          throw JobError(error, node: device)
        }
        taken.append((index, name))
      case .snapshot(.delete(let device, let id, let name)):
        let position = try Self.position(id: id, name: name, in: member.image, of: device)
        let snapshot = member.image.snapshots[position]
        do throws(Qcow2Error) {
          try drafts[index].deleteSnapshot(position: position)
        } catch {
          throw JobError(error, node: device)
        }
        removed.append(snapshot)
      }
    }
    self.drafts = drafts
    self.removed = removed
  }

  private static func draft(of member: OpenImages.Member) throws(JobError) -> ImageDraft {
    do throws(Qcow2Error) {
      return try ImageDraft(member.image)
    } catch {
      throw JobError(error, node: member.node.name.description)
    }
  }

  /// The first snapshot with this id and name, as far as they are given.
  private static func position(
    id: String?, name: String?, in image: Image, of device: String
  ) throws(JobError) -> Int {
    let position = image.snapshots.firstIndex { snapshot in
      id.map(snapshot.id.hasSameBytes) ?? true && name.map { snapshot.isCalled($0) } ?? true
    }
    guard let position else {
      throw JobError(
        .notFound,
        "Snapshot with id '\(id ?? "null")' and name '\(name ?? "null")' does not exist on device "
          + "'\(device)'")
    }
    return position
  }
}

extension DeviceSnapshotAction {
  /// The node that an action is about, checked as far as names go and in QEMU's order.
  func node(of machine: Machine) throws(JobError) -> Node {
    guard let node = machine.node(device) else { throw .deviceNotFound(device) }
    guard !node.isReadOnly else {
      throw JobError(.refused, "Device '\(device)' is read only")
    }
    switch self {
    case .take(_, let name):
      guard !name.isEmpty else { throw JobError(.usage, "Name is empty") }
      try SnapshotRequest(operation: .save, tag: name, devices: [device], vmstate: nil).checkTags()
    case .delete(_, let id, let name):
      guard id != nil || name != nil else {
        throw JobError(.usage, "Name or id must be provided")
      }
    }
    return node
  }
}

extension JobError {
  /// There is no node of that name, in the words of QEMU's commands on devices.
  static func deviceNotFound(_ name: String) -> JobError {
    JobError(.notFound, "Cannot find device='\(name)' nor node-name='\(name)'")
  }
}
