internal import Jobs
internal import Qcow2

/// The device state that goes with what is on some images now.
///
/// It is found by the ids in the images. A note counts as long as nobody but this catalog's jobs has written
/// to the image; one that does not count is struck out before the image is marked again, since a mark would
/// make it look true.
struct PresentState {
  /// Where the state is.
  enum Source: Sendable {
    /// In a snapshot of a member: its index, and the snapshot's position.
    case snapshot(member: Int, position: Int)
    /// In a file beside the catalog.
    case file(String)
  }

  /// What was found.
  enum Finding: Sendable {
    /// Nothing goes with these images.
    case none
    /// A state that all of them go with.
    case usable(Source)
    /// There is one, and it cannot be saved with these images, for this reason.
    case unusable(String)
  }

  /// What was found.
  let finding: Finding
  /// What the images go with, one element for each member; nil for nothing.
  let notes: [DeviceStateNote?]
  /// The states that other programs' writes have outdated.
  let outdated: [DeviceStateID]

  /// Looks.
  ///
  /// - Parameters:
  ///   - members: the images.
  ///   - log: where the notes are.
  /// - Throws: `JobError` of the catalog.
  init(_ members: [OpenImages.Member], log: any CommitLog) throws(JobError) {
    let kept = try log.deviceStates(of: members.compactMap { $0.image.lastCommit })
    let found = members.map { member in member.image.lastCommit.flatMap { kept[$0] } }
    let changed = members.indices.filter { index in
      found[index].map { !members[index].image.isUntouched(since: $0, log.catalogID) } ?? false
    }
    let outdated = Set(changed.compactMap { found[$0]?.state })
    let notes = found.map { note in
      note.flatMap { outdated.contains($0.state) ? nil : $0 }
    }
    self.outdated = Array(outdated)
    self.notes = notes
    if let index = changed.first {
      finding = .unusable(
        "\(members[index].node.name): another program has written to \(members[index].image.path) since"
      )
    } else {
      finding = Self.find(notes, members)
    }
  }

  private static func find(
    _ notes: [DeviceStateNote?], _ members: [OpenImages.Member]
  ) -> Finding {
    let states = Set(notes.compactMap { $0?.state })
    guard !states.isEmpty else { return .none }
    guard states.count == 1 else { return .unusable("the disks go with different states") }
    if let index = notes.firstIndex(of: nil) {
      return .unusable("\(members[index].node.name) is not at the moment that it belongs to")
    }
    for (index, note) in notes.enumerated() {
      guard let id = note?.snapshot else { continue }
      let places = members[index].image.snapshots.indices.filter {
        members[index].image.snapshots[$0].id == id
      }
      guard places.count == 1 else {
        return .unusable("\(members[index].node.name): the snapshot that kept it is not there")
      }
      return .usable(.snapshot(member: index, position: places[0]))
    }
    if let file = notes.lazy.compactMap({ $0?.file }).first { return .usable(.file(file)) }
    return .unusable("the disk that keeps it is not among these")
  }

  /// Where the state is that can be used.
  ///
  /// - Returns: the place.
  /// - Throws: `JobError` (not found, conflict) if there is none, or it is out of date.
  func usableSource() throws(JobError) -> Source {
    switch finding {
    case .usable(let source): return source
    case .none:
      throw JobError(
        .notFound,
        "The machine has no device state. It has that of a snapshot after: snapjob load --tag TAG; or take "
          + "a file's: snapjob devices load FILE")
    case .unusable(let reason):
      throw JobError(
        .conflict,
        "The machine's device state cannot be used: \(reason). It has that of a snapshot again after: "
          + "snapjob load --tag TAG")
    }
  }

  // MARK: A commit's end

  /// What the images go with after a change, and what was lost by it.
  struct Carried {
    /// One element for each member; nil for nothing, and for members that do not change.
    var notes: [DeviceStateNote?]
    /// The member whose snapshot was the last to keep the state; nil if it is still kept.
    var lostKeeper: Int?
  }

  /// Carries the notes through drafts: guest data that stay as they are go on with their state, wherever it
  /// is kept then.
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
      guard let draft, !draft.changesGuestData, var note = notes[index] else { continue }
      if let id = note.snapshot {
        let keeper = try Self.keeper(of: id, members[index], in: draft)
        if keeper == nil { result.lostKeeper = index }
        note.snapshot = keeper
      }
      note.stamp = nil
      result.notes[index] = note
    }
    if let lost = result.lostKeeper, let state = notes[lost]?.state {
      for index in result.notes.indices where result.notes[index]?.state == state {
        result.notes[index] = nil
      }
    }
    return result
  }

  /// The id of a snapshot that will keep what a snapshot of an image keeps now: itself, if it stays.
  private static func keeper(
    of id: String, _ member: OpenImages.Member, in draft: ImageDraft
  ) throws(JobError) -> String? {
    guard let position = member.image.snapshots.firstIndex(where: { $0.id == id }) else {
      return nil
    }
    do throws(Qcow2Error) {
      let state = try ImageDraft(member.image).vmState(ofSnapshot: position)
      let ids = try draft.positions(keeping: state).map { draft.snapshots[$0].id }
      return ids.contains(id) ? id : ids.first
    } catch {
      throw JobError(error, node: member.node.name.description)
    }
  }
}

extension Image {
  /// Whether nobody but the jobs of a catalog has written since a note was made.
  fileprivate func isUntouched(since note: DeviceStateNote, _ catalog: CatalogID) -> Bool {
    if !isBlockDevice, let stamp = note.stamp, (try? self.stamp()) == stamp { return true }
    return (try? hasSnapshotOfActiveState()) == true
  }
}

extension PresentState.Source {
  /// Opens the state for reading, through files of its own: those of the images may be in use by another
  /// thread.
  func open(_ images: OpenImages) throws(Qcow2Error) -> any VMStateSource {
    switch self {
    case .snapshot(let member, let position):
      let image = images.members[member].image
      let file = try Image.open(image.path, for: .peek, access: images.files)
      guard file.identity == image.identity else {
        throw .conflict("another file has taken the place of \(image.path); start again")
      }
      return try VMStateReader(file, snapshot: position)
    case .file(let name):
      return try StateFile(
        opening: "\(images.log.stagedStateDirectory)/\(name)", access: PosixFileAccess())
    }
  }
}

extension Machine {
  /// The nodes that go with the machine's device state: all that a job without a device list covers.
  var stateNodes: [Node] {
    get throws(JobError) {
      let nodes = coveredNodes
      guard !nodes.isEmpty else {
        throw JobError(.notFound, "The machine has no writable disk that its state could go with")
      }
      return nodes
    }
  }
}
