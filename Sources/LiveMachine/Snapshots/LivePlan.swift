import FileNames
import Jobs
import QMP
import SnapshotJobs

/// What QEMU will be asked to do for a request, after everything that can be seen beforehand was looked at.
///
/// A value without a connection: the disks are those of a scan.
struct LivePlan: Sendable, Hashable {
  /// A node of the machine, and what it is in this boot.
  struct Member: Sendable, Hashable {
    let node: Node
    let disk: LiveDisk

    /// The snapshots of a name; more than one if another program has made them.
    func snapshots(called tag: String) -> [LiveDisk.Snapshot] {
      disk.snapshots.filter { $0.isCalled(tag) }
    }
  }

  /// What the machine's memory takes at most, and what is free where it is written.
  struct Room: Sendable, Hashable {
    /// In bytes.
    let needed: Int64
    /// In bytes; nil if that is not known.
    let free: Int64?
  }

  /// The nodes that take part, in the request's order.
  private(set) var members: [Member]
  /// The node with the machine's memory; nil for a delete, and for a save without it.
  private(set) var vmstate: Member?
  /// delete: the tags that are on at least one node.
  private(set) var tags: [String]
  /// Whether there is nothing to do.
  private(set) var isDone = false
  /// The room for the memory of a save that includes it.
  var room: Room?
  /// Sentences for the user.
  private(set) var remarks: [String] = []

  /// Checks a request against the disks of a running machine.
  ///
  /// - Throws: `JobError`; QEMU has not been asked for anything then.
  init(_ request: SnapshotRequest, machine: Machine, disks: [LiveDisk]) throws(JobError) {
    try request.checkTags()
    guard request.snapshotID == nil else {
      throw JobError(
        .refused,
        "\(machine.label) is running, and QEMU knows snapshots by name only. Stop the machine, then use the id"
      )
    }
    if request.isGrouped == true {
      throw JobError(
        .refused,
        "\(machine.label) is running: what QEMU does cannot be undone together with others. Start a job of "
          + "its own, or stop the machine")
    }
    guard request.earlierBitmapActions == nil, request.laterBitmapActions == nil else {
      throw JobError(
        .refused,
        "\(machine.label) is running: QEMU cannot take a snapshot and change dirty bitmaps in one step. Stop "
          + "the machine, or use one command for each")
    }
    members = []
    tags = [request.tag]
    if request.operation != .delete { try checkCoverage(of: disks, machine: machine) }
    for node in try request.nodes(of: machine) {
      guard let disk = disks.first(where: { $0.isFile(node.path) }) else {
        throw JobError(
          .notFound,
          "\(node.name): the running machine has no writable disk \(node.path). Leave it out: "
            + "\(machine.stepToExclude(node.name.description))")
      }
      guard disk.canTakeSnapshots else {
        throw JobError(
          .refused,
          "\(node.name): the running machine uses \(node.path) as \(disk.driver), which has no "
            + "snapshots. Leave it out: \(machine.stepToExclude(node.name.description))"
        )
      }
      members.append(Member(node: node, disk: disk))
    }
    switch request.operation {
    case .save: try checkSave(request, machine)
    case .load: try checkLoad(request, machine)
    case .delete: try checkDelete(request)
    }
  }

  // MARK: Disks

  /// QEMU leaves out what it is not told of: that disk would go on while the others go back.
  private mutating func checkCoverage(of disks: [LiveDisk], machine: Machine) throws(JobError) {
    for disk in disks where disk.isAttached {
      if machine.nodes.contains(where: { disk.isFile($0.path) }) { continue }
      if disk.isFlash, !disk.canTakeSnapshots {
        remarks.append("\(disk.description): firmware variables in this format are left out")
        continue
      }
      let name = disk.label ?? "NODE"
      let exclude = "leave it out: \(machine.stepToExclude(name))"
      throw disk.canTakeSnapshots
        ? JobError(
          .conflict,
          "\(machine.label): the running machine has a writable disk that is not registered: "
            + "\(disk.description). Add it: "
            + "\(NextStep(["node", "add", name, disk.path ?? "FILE"], machine: machine.name)), "
            + "or \(exclude)")
        : JobError(
          .refused,
          "\(machine.label): the writable disk \(disk.description) cannot take part in snapshots; it "
            + "would go on while the others go back. Convert it to qcow2, or \(exclude)")
    }
  }

  // MARK: Tags

  private mutating func checkSave(
    _ request: SnapshotRequest, _ machine: Machine
  ) throws(JobError) {
    let having = members.filter { !$0.snapshots(called: request.tag).isEmpty }
    if request.existOK, having.count == members.count {
      isDone = true
      return
    }
    guard having.isEmpty else {
      let lacking = members.filter { $0.snapshots(called: request.tag).isEmpty }
      let place = lacking.isEmpty ? "" : ", and not on \(Self.names(lacking))"
      throw JobError(
        .conflict,
        "Snapshot '\(request.tag)' already exists on \(Self.names(having))\(place). "
          + (request.replace
            ? "A running machine cannot replace it: between the old one and the new one there would be "
              + "none. Save under another tag, then: "
            : "Choose another tag, or first: ")
          + "\(machine.stepToDelete(request.tag))")
    }
    try refuseID(request.tag, "Choose another tag")
    if !request.diskOnly { vmstate = try member(request.vmstate) }
  }

  private mutating func checkLoad(
    _ request: SnapshotRequest, _ machine: Machine
  ) throws(JobError) {
    if let saved = request.saveCurrent {
      throw JobError(
        .refused,
        "\(machine.label) is running, and QEMU cannot save and load in one step (--save-current). Save "
          + "first: \(NextStep(["save"] + NextStep.option("--tag", saved), machine: machine.name)); then load without it, or "
          + "stop the machine")
    }
    let lacking = members.filter { $0.snapshots(called: request.tag).isEmpty }
    guard lacking.isEmpty else {
      throw JobError(
        .notFound,
        "Snapshot '\(request.tag)' does not exist on \(Self.names(lacking)). See: "
          + "\(NextStep(["list"], machine: machine.name))")
    }
    try refuseTwins(of: request.tag)
    try refuseID(
      request.tag, "Stop the machine, and load it from the files: there tags are names only")
    for member in members where !member.disk.bitmaps.isEmpty {
      throw JobError(
        .conflict,
        "\(member.node.name): the disk has dirty bitmaps (\(member.disk.bitmaps.joined(separator: ", "))"
          + "), and QEMU loads no snapshot then. Shut the machine down, and load it from the files: the bitmaps "
          + "are kept, and mark what the load changes; or remove them first")
    }
    let keepers = members.filter { $0.snapshots(called: request.tag)[0].vmStateSize > 0 }
    let wanted = keepers.first { $0.node.name.description == request.vmstate } ?? keepers.first
    guard let wanted else {
      throw JobError(
        .refused,
        "Snapshot '\(request.tag)' has no memory (it is disk-only), and a running machine needs one. "
          + "Stop the machine, then load it again")
    }
    vmstate = wanted
  }

  private mutating func checkDelete(_ request: SnapshotRequest) throws(JobError) {
    var found: [String] = []
    for tag in [request.tag] + request.moreTags where !found.contains(where: tag.hasSameBytes) {
      try refuseTwins(of: tag)
      if members.contains(where: { !$0.snapshots(called: tag).isEmpty }) {
        found.append(tag)
      } else if request.mustExist {
        throw JobError(
          .notFound, "Snapshot '\(tag)' does not exist on \(Self.names(members))")
      }
    }
    tags = found
    isDone = found.isEmpty
  }

  /// QEMU looks for a snapshot's id first when it loads: a tag that is another one's id loads that one.
  private func refuseID(_ tag: String, _ advice: String) throws(JobError) {
    for member in members {
      if let other = member.disk.snapshots.first(where: {
        $0.id.hasSameBytes(as: tag) && !$0.isCalled(tag)
      }) {
        throw JobError(
          .conflict,
          "\(member.node.name): '\(tag)' is the id of snapshot '\(other.name)', and a running QEMU would "
            + "take that one for it. \(advice)")
      }
    }
  }

  private func refuseTwins(of tag: String) throws(JobError) {
    for member in members {
      let twins = member.snapshots(called: tag)
      if twins.count > 1 {
        throw JobError(
          .conflict,
          "\(member.node.name): \(member.node.path) has \(twins.count) snapshots called '\(tag)' (ids "
            + twins.map(\.id).joined(separator: ", ") + "). Rename or remove one of them first")
      }
    }
  }

  private func member(_ name: String?) throws(JobError) -> Member {
    guard let member = members.first(where: { $0.node.name.description == name }) else {
      throw JobError(.notFound, "vmstate block device '\(name ?? "")' does not exist")
    }
    return member
  }

  private static func names(_ members: [Member]) -> String {
    members.map(\.node.name.description).joined(separator: ", ")
  }
}

extension Machine {
  /// The name for commands to copy.
  var label: String { name ?? Machine.defaultName }

  /// What takes a tag away from the machine's disks.
  func stepToDelete(_ tag: String, _ options: String...) -> NextStep {
    NextStep(["delete"] + options + NextStep.option("--tag", tag), machine: label)
  }

  /// What leaves a disk out of the machine's jobs.
  func stepToExclude(_ node: String) -> NextStep {
    NextStep(["machine", "set", label, "--exclude", node])
  }
}
