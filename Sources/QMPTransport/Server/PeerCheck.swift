import Glibc

/// Who may speak to a server: its own user, root, and those that were named.
public struct PeerCheck: Sendable, Hashable {
  private let allowed: Set<UInt32>
  private static let own: Set<UInt32> = [geteuid(), 0]

  /// Makes a check.
  ///
  /// - Parameter others: user ids beside the server's own and root.
  public init(allowing others: Set<UInt32> = []) {
    allowed = others.union(Self.own)
  }

  /// Whether a user may.
  func admits(_ uid: UInt32) -> Bool { allowed.contains(uid) }

  /// Whether a user that may is neither the server's own nor root.
  func isGuest(_ uid: UInt32) -> Bool { !Self.own.contains(uid) }
}

/// Who is on the other side of a socket: `struct ucred` of <sys/socket.h>, which glibc shows only to
/// programs that ask for GNU extensions.
struct PeerCredentials: Sendable {
  let pid: Int32
  let uid: UInt32
  let gid: UInt32
}
