internal import Jobs
internal import Qcow2

/// What recovery has found in the place of one image of a commit.
enum MemberState: Sendable, Hashable {
  /// The fence of a member of the commit, by all its 512 bytes; `of` is the member's number, `sector` which
  /// of its sectors the fence holds.
  case fenced(of: Int, sector: CommitTables.Sector, isHeld: Bool)
  /// The image carries the commit's id as its last, or as the last before another catalog's; `isAfter`: byte for
  /// byte as it was published.
  case published(isAfter: Bool, isHeld: Bool)
  /// A qcow2 header that is neither fenced nor published; `isBefore`: byte for byte as before the commit.
  case plain(isBefore: Bool, isHeld: Bool)
  /// The fence of another commit.
  case foreignFence(FenceMark, isHeld: Bool)
  /// It cannot be looked at or locked now.
  case away(JobError)
  /// It is no qcow2 image: empty, too short, or neither a regular file nor a block device.
  case other(String)

  /// What the tables tell apart.
  enum Kind: Sendable, Hashable, CaseIterable {
    case fenced, published, plain, foreignFence, away, other
    /// The same while somebody else holds the image.
    case heldFenced, heldPublished, heldPlain, heldForeignFence
  }

  /// What the tables tell apart.
  var kind: Kind {
    switch self {
    case .fenced(_, _, let isHeld): isHeld ? .heldFenced : .fenced
    case .published(_, let isHeld): isHeld ? .heldPublished : .published
    case .plain(_, let isHeld): isHeld ? .heldPlain : .plain
    case .foreignFence(_, let isHeld): isHeld ? .heldForeignFence : .foreignFence
    case .away: .away
    case .other: .other
    }
  }
}
