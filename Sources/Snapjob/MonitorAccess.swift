import FileNames
import Glibc
import JobCatalog
import Jobs
import LiveMachine
import Logging
import Monitor
import QMP
import QMPTransport

/// The way to running machines' monitors, each of which serves one client at a time.
///
/// Whoever connects claims the monitor first, so processes of one catalog take turns. A server keeps it for
/// as long as the machine runs, and lets the others in at a socket beside the catalog.
struct MonitorAccess: Sendable {
  private let catalog: Catalog
  private let patience: Duration
  private let onWait: @Sendable (String) -> Void

  /// Makes the way.
  ///
  /// - Parameters:
  ///   - catalog: whose processes take turns.
  ///   - patience: how long a monitor is waited for that somebody else has.
  ///   - onWait: told once who that is.
  init(_ catalog: Catalog, patience: Duration, onWait: @escaping @Sendable (String) -> Void) {
    self.catalog = catalog
    self.patience = patience
    self.onWait = onWait
  }

  /// Most have a monitor for milliseconds; that long everybody waits.
  private static let turn = Duration.seconds(2)
  private static let period = Duration.milliseconds(20)

  /// Connects to the monitor at an address, on its own or through whoever has it; nil if nobody listens
  /// there.
  ///
  /// - Throws: `QMPError` of kind `inUse` if another process of this catalog has it and lets nobody in; as
  ///   `QMPClient.connect` otherwise.
  func connect(to address: String) async throws(QMPError) -> LiveConnection? {
    let clock = ContinuousClock()
    let end = clock.now + max(patience, Self.turn)
    let tellTime = clock.now + Self.turn
    var isTold = false
    while true {
      let (pid, sharingPath): (Int32?, String)
      switch try claim(address) {
      case .granted(let claim): return try await connect(to: address, claim)
      case .taken(let holder, let path): (pid, sharingPath) = (holder, path)
      }
      if let client = try await QMPClient.connectIfListening(to: .unix(path: sharingPath)) {
        return LiveConnection(endpoint: client, close: { await client.close() })
      }
      let holder = "\(address): another snapjob\(pid.map { " (pid \($0))" } ?? "") has this monitor"
      guard clock.now < end else {
        throw QMPError(
          .genericError, "\(holder). Wait for it with --wait-lock SECONDS", kind: "inUse")
      }
      if !isTold, clock.now >= tellTime {
        onWait(holder)
        isTold = true
      }
      try? await Task.sleep(for: Self.period)
    }
  }

  /// Connects to the monitor at an address, and lets others in until the end; nil if nobody listens there,
  /// or another process of this catalog has it.
  ///
  /// - Parameters:
  ///   - address: the monitor's.
  ///   - logger: told if others cannot be let in.
  /// - Returns: the monitor; `close()` it.
  /// - Throws: as `QMPClient.connect`.
  func share(
    _ address: String, logger: Logger
  ) async throws(QMPError) -> SharedMonitor? {
    guard case .granted(let claim) = try claim(address) else { return nil }
    do throws(QMPError) {
      let client = try await QMPClient.connectIfListening(
        to: try QMPAddress(address), greetingWithin: .seconds(1))
      guard let client else {
        claim.release()
        return nil
      }
      return SharedMonitor(client, claim, logger: logger)
    } catch {
      claim.release()
      throw error
    }
  }

  private func connect(
    to address: String, _ claim: MonitorClaim
  ) async throws(QMPError) -> LiveConnection? {
    do throws(QMPError) {
      let client = try await QMPClient.connectIfListening(
        to: try QMPAddress(address), greetingWithin: max(patience, QMPClient.greetingLimit))
      guard let client else {
        claim.release()
        return nil
      }
      return LiveConnection(
        endpoint: client,
        close: {
          await client.close()
          claim.release()
        })
    } catch {
      claim.release()
      throw error
    }
  }

  private func claim(_ address: String) throws(QMPError) -> MonitorClaim.Outcome {
    do throws(JobError) {
      return try catalog.claimMonitor(at: Self.canonical(address))
    } catch {
      throw QMPError(error)
    }
  }

  /// One monitor can have several paths.
  private static func canonical(_ address: String) -> String {
    guard case .unix(let path) = try? QMPAddress(address), let real = realpath(path) else {
      return address
    }
    return "unix:\(real)"
  }
}
