internal import Jobs
internal import Qcow2

/// What has become of one image of a commit record.
enum CommitState: Sendable {
  /// It has the new state. `isOpened`: another program may have written since.
  case published(Image, isOpened: Bool)
  /// It has the first sector of the record, perhaps with the fence.
  case ready(Image, isFenced: Bool)
  /// It was prepared by this commit, and another program has written since.
  case touched(Image)
  /// It is another image, or another commit's.
  case foreign(String)
  /// It cannot be looked at now.
  case outOfReach(JobError)

  /// Opens and locks an image of a record and finds its state.
  init(_ commit: ImageCommit, _ files: any FileAccess) {
    do throws(Qcow2Error) {
      let image = try Image.open(commit.path, for: .recovery, access: files)
      guard commit.bootID != Boot.id || image.identity == commit.identity else {
        image.unlock()
        self = .outOfReach(
          JobError(.notFound, "\(commit.path): another file has taken its place"))
        return
      }
      self = Self.classify(image, commit)
    } catch {
      switch error.code {
      case .notQcow2, .malformed, .unsupported, .overLimit, .corrupt:
        self = .foreign("\(error)")
      default:
        self = .outOfReach(JobError(error))
      }
    }
  }

  private static func classify(_ image: Image, _ commit: ImageCommit) -> CommitState {
    let before = FirstSector(onDisk: commit.before)
    let id = FirstSector(onDisk: commit.after).marks?.last
    if let id, image.marks.last == id {
      // Not the marker alone: whoever marks an image sets it again. Version 2 images cannot tell
      // whether others have written.
      return .published(
        image, isOpened: commit.version < 3 || image.firstSector != commit.after)
    }
    if image.firstSector == before.bytes, isUntouched(image, commit) {
      return .ready(image, isFenced: false)
    }
    if commit.version >= 3, image.firstSector == before.fenced.bytes {
      return .ready(image, isFenced: true)
    }
    // An ordinary job by which recovery settles the record may have left a mark of its own.
    if let marks = before.marks, image.marks.last == marks.last,
      image.marks.pending == id || image.marks.catalog == marks.catalog
    {
      return .touched(image)
    }
    image.unlock()
    return .foreign("it is not the image that was prepared")
  }

  /// Length and times must be those after prepare: version 2 has no marker bit, and QEMU leaves it where it
  /// opens an image for reading first, as a backing file, and writes to it then (block-commit). Of version 3
  /// the times of the content are enough, and a block device has none.
  private static func isUntouched(_ image: Image, _ commit: ImageCommit) -> Bool {
    if commit.version >= 3, image.isBlockDevice { return true }
    guard let stamp = try? image.stamp() else { return false }
    return commit.version < 3 ? stamp == commit.stamp : stamp.hasSameContent(as: commit.stamp)
  }

  /// Whether recovery could look at the image now; it is opened and let go of.
  static func canReach(_ commit: ImageCommit, _ files: any FileAccess) -> Bool {
    let state = CommitState(commit, files)
    state.image?.unlock()
    if case .outOfReach = state { return false }
    return true
  }

  /// The image, where it is open.
  var image: Image? {
    switch self {
    case .published(let image, _), .ready(let image, _), .touched(let image): image
    case .foreign, .outOfReach: nil
    }
  }

  /// What to tell the user.
  var description: String {
    switch self {
    case .published(_, let isOpened):
      isOpened ? "new state (and perhaps written to since)" : "new state"
    case .ready(_, let isFenced): isFenced ? "old state, fenced" : "old state"
    case .touched: "old state, written to since by another program"
    case .foreign(let reason): "unknown: \(reason)"
    case .outOfReach(let error): "out of reach: \(error.message)"
    }
  }
}
