import FileNames
internal import Jobs
internal import Qcow2

/// The device state that goes with what is on some images now.
///
/// The ids in the images lead to the notes, and each note says what has to be so on its image for the state to
/// be fresh. Nothing is ever taken back because an image looks out of date: it may be a copy.
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
    /// There is one, and it cannot be saved with these images, for this reason. `isOver`: with none at all.
    case unusable(String, isOver: Bool)
  }

  /// What the images' notes say, one element for each member; nil for nothing.
  let notes: [DeviceStateNote?]
  /// The commits that the notes are of; nil where there is none.
  let commits: [CommitID?]
  /// What their files looked like before anything was written, where a state that waits goes with them.
  let stamps: [FileStamp?]
  private let members: [OpenImages.Member]
  /// Of each image that carries a commit with a state that waits, and is another file than the one that it goes
  /// with: that one's path.
  private let originals: [String?]
  private let directory: String

  /// Reads the notes.
  ///
  /// - Parameters:
  ///   - members: the images.
  ///   - log: where the notes are.
  /// - Throws: `JobError` of the catalog.
  init(_ members: [OpenImages.Member], log: any CommitLog) throws(JobError) {
    self.members = members
    directory = log.stagedStateDirectory
    // What another catalog's jobs have done since shows as any other program's writes do.
    let kept = try log.deviceStates(of: members.flatMap(\.image.carriedCommits))
    commits = members.map { member in member.image.carriedCommits.first { kept[$0] != nil } }
    let found = zip(members, commits).map { member, commit in
      member.image.findNote(in: commit.flatMap { kept[$0] } ?? CommitNotes())
    }
    let notes = found.map(\.note)
    self.notes = notes
    originals = found.map(\.original)
    stamps = zip(members, notes).map { member, note in
      note?.file == nil ? nil : try? member.image.sectorFile.stamp()
    }
  }

  /// Whether a state that waits in a file goes with the images, or went with them.
  var isStaged: Bool { notes.contains { $0?.file != nil } }

  /// Looks whether there is a state, and whether it is fresh on every image.
  func find() -> Finding {
    let states = Set(notes.compactMap { $0?.state })
    if let index = notes.indices.first(where: { notes[$0] == nil }) {
      if let original = originals[index] {
        return .unusable(
          "\(name(index)): the state that was loaded from a file goes with \(original), and "
            + "\(members[index].image.path) is another file", isOver: false)
      }
      guard !states.isEmpty else { return .none }
      return .unusable("\(name(index)) is not at the moment that it belongs to", isOver: false)
    }
    let complete = notes.compactMap { $0 }
    guard states.count == 1, let count = complete.first?.memberCount else {
      return .unusable("the disks go with different states", isOver: false)
    }
    guard Set(complete.map(\.member)).count == complete.count else {
      return .unusable("one of the disks is a copy of another", isOver: false)
    }
    guard complete.count == count else {
      return .unusable(
        "it belongs to \(count) disks, and not all of them are among these", isOver: false)
    }
    for (index, note) in complete.enumerated() {
      if let obstacle = obstacle(index, note) {
        return .unusable("\(name(index)): \(obstacle)", isOver: true)
      }
    }
    return source(complete)
  }

  private func source(_ notes: [DeviceStateNote]) -> Finding {
    if let keeper = notes.firstIndex(where: \.isKeeper),
      let position = notes[keeper].snapshot?.position(in: members[keeper].image.snapshots)
    {
      return .usable(.snapshot(member: keeper, position: position))
    }
    guard let file = notes.lazy.compactMap(\.file).first else {
      return .unusable("the disk that keeps it is not among these", isOver: false)
    }
    do throws(Qcow2Error) {
      _ = try StateFile(opening: "\(directory)/\(file)")
    } catch {
      return .unusable("the file in which it waits cannot be read: \(error)", isOver: true)
    }
    return .usable(.file(file))
  }

  private func name(_ index: Int) -> NodeName { members[index].node.name }

  /// A member's file.
  func path(_ index: Int) -> String { members[index].image.path }

  /// Why a member is not any more what its note is about; nil if it is.
  private func obstacle(_ index: Int, _ note: DeviceStateNote) -> String? {
    let image = members[index].image
    let written = "another program has written to \(image.path) since"
    if note.file != nil, note.snapshot == nil {
      guard let noted = note.stamp else {
        return "it is not known whether another program has written to \(image.path) since"
      }
      return stamps[index] == noted ? nil : written
    }
    guard let position = note.snapshot?.position(in: image.snapshots) else {
      return note.isKeeper
        ? "the snapshot that kept it is not there"
        : "the snapshot with which the disk was at its moment is not there"
    }
    do throws(Qcow2Error) {
      return try image.isActiveState(ofSnapshot: position) ? nil : written
    } catch {
      return "it cannot be told whether another program has written since: \(error)"
    }
  }

  /// Where the state is that can be used.
  ///
  /// - Returns: the place.
  /// - Throws: `JobError` (not found, conflict) if there is none, or it is out of date.
  func usableSource() throws(JobError) -> Source {
    switch find() {
    case .usable(let source): return source
    case .none:
      throw JobError(
        .notFound,
        "The machine has no device state. It has that of a snapshot after: \(NextStep("load", "--tag", "TAG")); "
          + "or take a file's: \(NextStep("devices", "load", "FILE"))")
    case .unusable(let reason, _):
      throw JobError(
        .conflict,
        "The machine's device state cannot be used: \(reason). It has that of a snapshot again after: "
          + "\(NextStep("load", "--tag", "TAG"))")
    }
  }
}

/// What a commit's notes say of an image.
private enum FoundNote {
  /// Nothing goes with it.
  case nothing
  /// This is about it.
  case about(DeviceStateNote)
  /// It is a copy of the file at this path, which a state that waits goes with.
  case aboutOriginal(path: String)

  var note: DeviceStateNote? { if case .about(let note) = self { note } else { nil } }
  var original: String? { if case .aboutOriginal(let path) = self { path } else { nil } }
}

extension Image {
  /// What is said of this image: by its path; under another name, by the snapshot that a note tells of.
  ///
  /// A state that waits goes with a file at its path, and with no copy of it.
  fileprivate func findNote(in notes: CommitNotes) -> FoundNote {
    let fitting = notes.notes.filter {
      $0.file == nil && $0.snapshot?.position(in: snapshots) != nil
    }
    if let note = fitting.first(where: { $0.path.hasSameBytes(as: path) })
      ?? notes.notes.first(where: { $0.path.hasSameBytes(as: path) && $0.file != nil })
    {
      return .about(note)
    }
    if notes.pathsWithoutState.contains(where: path.hasSameBytes) { return .nothing }
    if let note = fitting.first(where: { $0.path.fileName.hasSameBytes(as: path.fileName) })
      ?? fitting.first
      ?? notes.notes.first(where: { $0.path.hasSameBytes(as: path) })
      ?? notes.notes.first(where: { $0.file == nil })
    {
      return .about(note)
    }
    return notes.notes.first.map { .aboutOriginal(path: $0.path) } ?? .nothing
  }
}

extension Image {
  /// The commits by which notes are found: the last one, and the last of another catalog before.
  fileprivate var carriedCommits: [CommitID] { [mark?.last, mark?.previous].compactMap { $0 } }
}

extension String {
  /// The last component of a path.
  fileprivate var fileName: String { pathNames.last ?? "" }
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
