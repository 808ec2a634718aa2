import FileNames
internal import Jobs
internal import Qcow2

/// What a request does to the images that it found: the tags resolved once, by name, to one table entry
/// per node.
struct DraftPlan {
  /// The draft of each member, with every edit, not settled yet; nil where the node is left alone.
  private(set) var drafts: [ImageDraft?] = []
  /// What happens to each member, as a sentence.
  private(set) var actions: [String] = []
  /// For a delete, the tags that are there; nil otherwise.
  private(set) var deletedTags: [String]?
  /// Sentences for the user.
  private(set) var remarks: [String] = []
  /// What becomes of the images' device states.
  private(set) var states: StateTransition

  private let request: SnapshotRequest
  /// The machine's name; nil for a one-off one.
  private let machine: String?
  private let images: OpenImages
  /// The bitmaps of each member as the actions before the job's own have left them.
  private let earlierBitmaps: [BitmapSet]
  private let present: PresentState
  /// The device state that the present is saved with.
  private var saved: SavedState?
  /// Whether it was said that the present has a device state which no save will have again.
  private var isStateOver = false

  private var members: [OpenImages.Member] { images.members }

  /// Resolves and checks everything; changes nothing.
  ///
  /// - Parameters:
  ///   - request: what to do.
  ///   - images: of its devices.
  ///   - machine: the machine's name; nil for a one-off one.
  ///   - sources: images whose bitmaps are only read.
  ///   - moment: when snapshots that are taken are taken.
  /// - Throws: `JobError`: why it cannot be done.
  init(
    _ request: SnapshotRequest, _ images: OpenImages, ofMachine machine: String?,
    sources: [OpenImages.Member] = [], at moment: SnapshotMoment
  ) throws(JobError) {
    self.request = request
    self.machine = machine
    self.images = images
    let members = images.members
    present = try PresentState(members, log: images.log)
    states = StateTransition(from: present, members, to: members.map { _ in nil })
    let bitmapActions = request.bitmapActions
    var editing = BitmapEditing(members.map { _ in nil }, of: members, sources: sources)
    for action in bitmapActions.earlier { try editing.perform(action) }
    earlierBitmaps = editing.sets
    let hasBitmapActions = !bitmapActions.earlier.isEmpty || !bitmapActions.later.isEmpty
    switch request.operation {
    case .save: try planSave(moment)
    case .load: try planLoad(moment)
    case .delete: try planDelete()
    }
    if hasBitmapActions {
      editing.adopt(drafts)
      for action in bitmapActions.later { try editing.perform(action) }
      drafts = try editing.complete(drafts)
      for action in bitmapActions.earlier + bitmapActions.later {
        if let index = members.firstIndex(where: { $0.node.name.description == action.node }) {
          actions[index] += ", \(action.sentence)"
        }
      }
    }
    try planStates()
  }

  /// The nodes that have a snapshot of this tag; throws if one has several.
  private func holders(of tag: String) throws(JobError) -> [Int] {
    var found: [Int] = []
    for (index, member) in members.enumerated()
    where try position(of: tag, on: member) != nil { found.append(index) }
    return found
  }

  /// Where the snapshot of a tag is in an image; of the request's own tag that of its id, if it has one.
  private func position(
    of tag: String, on member: OpenImages.Member
  ) throws(JobError) -> Int? {
    guard tag.hasSameBytes(as: request.tag), let id = request.snapshotID else {
      return try member.image.position(ofTag: tag, on: member.node)
    }
    return member.image.snapshots.firstIndex { $0.id.hasSameBytes(as: id) }
  }

  /// The same in a draft.
  private func position(of tag: String, in draft: ImageDraft) throws(Qcow2Error) -> Int? {
    guard tag.hasSameBytes(as: request.tag), let id = request.snapshotID else {
      return try draft.position(ofTag: tag)
    }
    return draft.snapshots.firstIndex { $0.id.hasSameBytes(as: id) }
  }

  private func names(_ indices: [Int]) -> String {
    indices.map { members[$0].node.name.description }.joined(separator: ", ")
  }

  /// Runs edits on one member's draft.
  private func draft(
    _ member: OpenImages.Member, _ edits: (inout ImageDraft) throws(Qcow2Error) -> Void
  ) throws(JobError) -> ImageDraft {
    do throws(Qcow2Error) {
      var draft = try ImageDraft(member.image)
      if let index = members.firstIndex(where: { $0.node == member.node }) {
        draft.bitmaps = earlierBitmaps[index]
      }
      try edits(&draft)
      return draft
    } catch {
      throw JobError(error, node: member.node.name.description)
    }
  }

  private mutating func planSave(_ moment: SnapshotMoment) throws(JobError) {
    let tag = request.tag
    let present = try holders(of: tag)
    if request.existOK, present.count == members.count {
      remarks.append("Snapshot '\(tag)' is on every disk already; nothing was changed.")
      drafts = members.map { _ in nil }
      actions = members.map { _ in "has the snapshot already" }
      return
    }
    guard present.isEmpty || request.replace else {
      let missing = members.indices.filter { !present.contains($0) }
      throw JobError(
        .conflict,
        "Snapshot '\(tag)' already exists in one or more devices (\(names(present))"
          + (missing.isEmpty ? "" : "; not in \(names(missing))")
          + "). Choose another tag, or take the "
          + "old one out with --replace"
          + (missing.isEmpty ? ", or have nothing done with --exist-ok" : ""))
    }
    take(at: moment)
    try findState()
    for (index, member) in members.enumerated() {
      drafts.append(
        try draft(member) { (draft) throws(Qcow2Error) in
          let state = saved?.member == index ? try saved?.vmState(in: &draft) : nil
          if present.contains(index), let old = try draft.position(ofTag: tag) {
            try draft.deleteSnapshot(position: old)
          }
          try draft.takeSnapshot(tag: tag, date: moment.date, vmState: state)
        })
      actions.append(
        (present.contains(index) ? "replace snapshot '\(tag)'" : "take snapshot '\(tag)'")
          + stateText(index))
    }
  }

  /// Works out what becomes of the device states, once the drafts are there.
  private mutating func planStates() throws(JobError) {
    if request.operation == .load {
      states.notes = try loadedState()
      if present.isStaged, request.saveCurrent == nil {
        remarks.append(
          "The device state that was loaded from a file and never saved is gone with the load.")
      }
      return
    }
    if isStateOver { return }
    let carried = try present.carried(through: drafts, members)
    states.notes = carried.notes
    if let saved, saved.wasStaged {
      // From now on the new snapshots keep it, and say whether it is fresh.
      for index in states.notes.indices {
        states.notes[index]?.file = nil
        states.notes[index]?.stamp = nil
        states.notes[index]?.snapshot = drafts[index]?.snapshots.last.map(SnapshotIdentity.init)
        states.notes[index]?.isKeeper = index == saved.member
      }
    } else if let lost = carried.lost, case .usable = present.find() {
      let part = states.notes[lost]?.isKeeper == true ? "kept" : "was part of"
      remarks.append(
        "\(members[lost].node.name): the snapshot \(part) the machine's present device state, which is gone "
          + "with it; the next save is of the disks only.")
      let state = present.notes[lost]?.state
      for index in states.notes.indices where states.notes[index]?.state == state {
        states.notes[index] = nil
      }
    }
  }

  /// After a load, the device state of the loaded snapshot goes with all images, if one of them has any.
  private func loadedState() throws(JobError) -> [DeviceStateNote?] {
    var loaded: [SnapshotIdentity] = []
    for member in members {
      guard let position = try position(of: request.tag, on: member) else {
        return members.map { _ in nil }
      }
      loaded.append(SnapshotIdentity(member.image.snapshots[position]))
    }
    let keepers = members.indices.filter { loaded[$0].vmStateSize > 0 }
    let chosen = keepers.first { members[$0].node.name.description == request.vmstate }
    guard let keeper = chosen ?? keepers.first else { return members.map { _ in nil } }
    let state = DeviceStateID()
    return members.indices.map { index in
      DeviceStateNote(
        state: state, member: index, of: members.count, path: members[index].image.path,
        snapshot: loaded[index], isKeeper: index == keeper)
    }
  }

  private mutating func take(at moment: SnapshotMoment) {
    if let remark = moment.remark { remarks.append(remark) }
  }

  private mutating func planLoad(_ moment: SnapshotMoment) throws(JobError) {
    let tag = request.tag
    let name = request.snapshotText
    let present = try holders(of: tag)
    guard present.count == members.count else {
      let missing = members.indices.filter { !present.contains($0) }
      var text =
        "Snapshot \(name) does not exist in one or more devices (missing in \(names(missing)))"
      if !present.isEmpty {
        let nodes = present.map { members[$0].node }
        let disks =
          machine == nil
          ? ["--file"] + nodes.map(\.path)
          : nodes.flatMap { ["--device", $0.name.description] }
        let step = NextStep(["load"] + NextStep.option("--tag", tag) + disks, machine: machine)
        text += ". To load it on the others: \(step)"
      }
      throw JobError(.notFound, text)
    }
    for member in members where request.strictBitmaps == true && !member.image.bitmaps.isEmpty {
      throw JobError(
        .conflict,
        "Could not load snapshot \(name) on '\(member.node.name)': Device has active dirty bitmaps ("
          + member.image.bitmaps.map(\.name).joined(separator: ", ") + ")")
    }
    if let saveCurrent = request.saveCurrent {
      let taken = try holders(of: saveCurrent)
      guard taken.isEmpty else {
        throw JobError(
          .conflict,
          "Snapshot '\(saveCurrent)' already exists in one or more devices (\(names(taken))). "
            + "Choose another tag for --save-current")
      }
      take(at: moment)
      try findState()
    }
    for (index, member) in members.enumerated() {
      var hasState = false
      drafts.append(
        try draft(member) { (draft) throws(Qcow2Error) in
          if let saveCurrent = request.saveCurrent {
            let state = saved?.member == index ? try saved?.vmState(in: &draft) : nil
            try draft.takeSnapshot(tag: saveCurrent, date: moment.date, vmState: state)
          }
          guard let position = try position(of: tag, in: draft) else {
            throw .notFound("the snapshot \(name) has gone")
          }
          hasState = member.image.snapshots[position].vmStateSize > 0
          try draft.load(position: position)
        })
      actions.append(
        (request.saveCurrent.map { "take snapshot '\($0)'\(stateText(index)), then " } ?? "")
          + "load snapshot \(name)")
      let recording = member.image.bitmaps.filter { $0.isEnabled && !$0.isInconsistent }
      if !recording.isEmpty {
        remarks.append(
          "\(member.node.name): what the load has changed is marked in the dirty bitmaps ("
            + recording.map(\.name).joined(separator: ", ") + "), so incremental backups go on.")
      }
      if hasState {
        remarks.append(
          "\(member.node.name): the snapshot holds the memory of a running guest. Its disks are as they "
            + "were then; started normally the guest finds them as after a power cut."
            + (request.snapshotID == nil
              ? " To resume it where it was, start QEMU with -loadvm '\(tag)'." : ""))
      }
    }
  }

  private mutating func findState() throws(JobError) {
    let finding = present.find()
    saved = try SavedState(request, finding, images, remarks: &remarks)
    if case .unusable(_, isOver: true) = finding { isStateOver = !request.diskOnly }
  }

  /// What is said of the member that gets the device state.
  private func stateText(_ index: Int) -> String {
    guard let saved, saved.member == index else { return "" }
    return " with device state (\(saved.byteCount) bytes\(saved.isShared ? ", shared" : ""))"
  }

  private mutating func planDelete() throws(JobError) {
    let tags = [request.tag] + request.moreTags
    var found: [(tag: String, holders: [Int])] = []
    for tag in tags {
      let present = try holders(of: tag)
      guard !present.isEmpty || !request.mustExist else {
        throw JobError(
          .notFound,
          "Snapshot \(text(tag)) does not exist on any of the devices "
            + "(\(names(Array(members.indices))))")
      }
      found.append((tag, present))
    }
    deletedTags = request.snapshotID == nil ? found.filter { !$0.holders.isEmpty }.map(\.tag) : []
    for (index, member) in members.enumerated() {
      let here = found.filter { $0.holders.contains(index) }.map(\.tag)
      guard !here.isEmpty else {
        drafts.append(nil)
        actions.append("has no such snapshot")
        continue
      }
      drafts.append(
        try draft(member) { (draft) throws(Qcow2Error) in
          for tag in here {
            if let position = try position(of: tag, in: draft) {
              try draft.deleteSnapshot(position: position)
            }
          }
        })
      actions.append("delete snapshot " + here.map(text).joined(separator: ", "))
    }
  }

  private func text(_ tag: String) -> String {
    tag.hasSameBytes(as: request.tag) ? request.snapshotText : "'\(tag)'"
  }
}
