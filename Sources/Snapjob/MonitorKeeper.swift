import LiveMachine
import Logging
import QMP
import QMPTransport
import SnapshotJobs

/// Keeps a machine's monitor for a server while the machine runs, and hears what the machine tells of.
struct MonitorKeeper: Sendable {
  let access: MonitorAccess
  let machines: any MachineStore
  /// The machine's name.
  let name: String
  let logger: Logger

  /// How often it is tried to get hold of the monitor.
  private static let period = Duration.seconds(1)
  /// How often while somebody else has it: whoever waits for it in vain keeps others from trying.
  private static let patientPeriod = Duration.seconds(10)

  /// Keeps it until the task is cancelled.
  ///
  /// - Parameter onEvent: told each event of the machine but those of our own jobs there, which are told of
  ///   as the catalog's.
  func run(_ onEvent: @Sendable (QMPEvent) -> Void) async {
    var lastFailure: String?
    while !Task.isCancelled {
      var period = Self.period
      if let address = (try? machines.machine(named: name))?.monitor {
        do throws(QMPError) {
          if let monitor = try await access.share(address, logger: logger) {
            await listen(to: monitor, onEvent)
            lastFailure = nil
          }
        } catch {
          if error.desc != lastFailure, !Task.isCancelled {
            logger.warning("\(error.desc)", metadata: ["machine": "\(name)"])
          }
          lastFailure = error.desc
          period = Self.patientPeriod
        }
      }
      try? await Task.sleep(for: period)
    }
  }

  private func listen(to monitor: SharedMonitor, _ onEvent: @Sendable (QMPEvent) -> Void) async {
    for await event in monitor.events() where !LiveSnapshotWork.isEventOfOwnJob(event) {
      onEvent(event)
    }
    await monitor.close()
  }
}
