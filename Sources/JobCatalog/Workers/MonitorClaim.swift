import Glibc
public import Jobs

/// The right to connect to a running machine's monitor, which serves one client at a time. One process has
/// it; it ends with the process at the latest.
///
/// It is the lock of a file beside the catalog, one for each monitor. The file stays, and says who had the
/// lock last.
public final class MonitorClaim: Sendable {
  private let lock: OpenFileLock
  /// The path of the socket at which whoever has the claim may let other processes of this catalog in.
  public let sharingPath: String

  fileprivate init(_ lock: OpenFileLock, sharingPath: String) {
    self.lock = lock
    self.sharingPath = sharingPath
    lock.write("\(getpid())\n")
  }

  /// Gives the monitor to the next one.
  public func release() { lock.release() }

  /// What became of an attempt to get a claim.
  public enum Outcome: Sendable {
    /// It is ours.
    case granted(MonitorClaim)
    /// Another one has it, in this process or the one with this id (nil if that is not known), who may let
    /// others in at a socket.
    case taken(pid: Int32?, sharingPath: String)
  }
}

extension Catalog {
  /// Claims the monitor at an address, without waiting.
  ///
  /// - Parameter address: as it is written; the same monitor must have the same address.
  /// - Returns: the claim, or who has it.
  /// - Throws: `JobError` if the lock's file cannot be had.
  public func claimMonitor(at address: String) throws(JobError) -> MonitorClaim.Outcome {
    try database.makeLockDirectory()
    let base = "\(database.lockDirectory)/monitor-\(Self.name(for: address))"
    let path = base + ".lock"
    let sharingPath = base + ".sock"
    switch OpenFileLock.acquire(path) {
    case .locked(let lock): return .granted(MonitorClaim(lock, sharingPath: sharingPath))
    case .held:
      let pid = OpenFileLock.text(in: path).split(separator: "\n").first.flatMap { Int32($0) }
      return .taken(pid: pid, sharingPath: sharingPath)
    case .failed(let code): throw database.failure.systemError(code, doing: "lock \(path)")
    }
  }

  /// A short name without a slash: the FNV-1a hash of the address, in 16 digits. Two monitors that had the
  /// same one would take turns, no more.
  private static func name(for address: String) -> String {
    let hash = address.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
      (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
