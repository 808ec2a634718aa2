private import FoundationEssentials
internal import Jobs
internal import Qcow2

/// The images of a snapshot job between its prepare and its end.
struct PreparedSnapshots: PreparedWork {
  /// One image that is ready to be published.
  struct Member: Sendable {
    let node: Node
    let prepared: PreparedImage
    /// The device state that goes with the image once it is published.
    let deviceState: DeviceStateNote?
    /// What says that a state which waits goes with the image now; nil where none does.
    let staged: StagedStateStamp?
  }

  /// The images that change.
  let members: [Member]
  private let locked: OpenImages
  private let deletedTags: [String]?
  private let remarks: [String]
  private var bitmaps: [TransferredBitmap]?
  private var staged: StagedStateWriter?

  init(_ members: [Member], locked: OpenImages, plan: DraftPlan) {
    self.members = members
    self.locked = locked
    deletedTags = plan.deletedTags
    remarks = plan.remarks
  }

  init(_ members: [Member], locked: OpenImages, plan: ImageActionPlan) {
    self.members = members
    self.locked = locked
    deletedTags = nil
    remarks = []
  }

  /// Images that get bitmaps and nothing else.
  init(
    _ members: [Member], locked: OpenImages, added bitmaps: [TransferredBitmap], remarks: [String]
  ) {
    self.members = members
    self.locked = locked
    deletedTags = nil
    self.remarks = remarks
    self.bitmaps = bitmaps
  }

  /// Images that get a new commit id and nothing else, for a device state that goes with them from then on.
  init(
    _ members: [Member], locked: OpenImages, staged: StagedStateWriter, remarks: [String]
  ) {
    self.members = members
    self.locked = locked
    deletedTags = nil
    self.remarks = remarks
    self.staged = staged
  }

  /// Where the image files come from.
  var access: any FileAccess { locked.files }

  /// Checks that every path still leads to the file that was prepared: an intent names files by path.
  ///
  /// - Throws: ``JobError`` (conflict or not found).
  func checkPaths() throws(JobError) {
    for member in members {
      let path = member.node.path
      do throws(Qcow2Error) {
        guard try locked.files.open(path, .read).identity == member.prepared.image.identity else {
          throw Qcow2Error(
            .conflict,
            "another file has taken its place since the job was prepared; put the image back, or "
              + "start the job again with the new one", path: path)
        }
      } catch {
        throw JobError(error, node: member.node.name.description)
      }
    }
  }

  func undo() throws {
    defer { locked.unlock() }
    staged?.discard()
    var failure: JobError?
    for member in members {
      do {
        try member.prepared.undo()
      } catch {
        failure = failure ?? JobError(error, node: member.node.name.description)
      }
    }
    StagedStates.note(members.compactMap(\.undone), in: locked.log)
    if let failure { throw failure }
  }

  func finish() throws -> String? {
    defer { locked.unlock() }
    var result = SnapshotResult(
      bytesWritten: 0, bytesFreed: 0, changedNodes: members.map(\.node.name.description),
      takenSnapshots: members.flatMap { member in
        member.prepared.madeSnapshots.map { TakenSnapshot($0, on: member.node) }
      },
      deletedTags: deletedTags, remarks: remarks)
    result.bitmaps = bitmaps
    for member in members {
      result.bytesWritten += member.prepared.bytesWritten
      do {
        result.bytesFreed += try member.prepared.finish()
      } catch {
        // The clusters are free in the image either way; only the filesystem does not know.
        result.remarks.append(
          "\(member.node.name): freed space could not be given back to the filesystem: \(error)")
      }
    }
    StagedStates.note(members.compactMap(\.finished), in: locked.log)
    return String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
  }

  func abandon() { locked.unlock() }
}

extension PreparedSnapshots.Member {
  /// What the image's file looks like once the change is undone, for the state that waits for the next save.
  fileprivate var undone: StagedStateStamp? {
    guard let staged, let stamp = try? prepared.image.sectorFile.stamp() else { return nil }
    return StagedStateStamp(
      commit: staged.commit, path: staged.path, old: staged.old, new: stamp)
  }

  /// What the image's file looks like once the change is there, for the state that waits for the next save.
  var finished: StagedStateStamp? {
    guard let note = deviceState, note.file != nil, note.stamp == nil,
      let commit = (try? prepared.image.sectorFile.read())?.mark?.last,
      let stamp = try? prepared.image.sectorFile.stamp()
    else { return nil }
    return StagedStateStamp(commit: commit, path: note.path, old: nil, new: stamp)
  }
}
