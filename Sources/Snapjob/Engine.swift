import JobCatalog
import Jobs
import Libqcow
public import Logging
import Monitor
public import QMP
import QMPTransport
public import SnapshotJobs

/// The front door: one catalog, open in this process, with everything that works on it.
///
/// An engine is one worker: the jobs that its monitors start belong to this process and end with
/// it. Open one, ask it for a ``monitor(for:followsAllMachines:onQuit:)``, and ``close()`` it when no job
/// of it runs any more.
public final class Engine: Sendable {
  /// The program's version.
  public static let version = "0.1.0"

  /// The newest catalog schema that this program knows.
  public static var catalogSchemaVersion: Int { Catalog.schemaVersion }

  /// The exit code of the command line for a kind of failure as `QMPError.kind` names it; 1 for
  /// none and for unknown ones.
  public static func exitCode(ofKind kind: String?) -> Int32 {
    let kind = kind.flatMap(FailureKind.init(rawValue:)) ?? .general
    return ExitCode(kind).rawValue
  }

  /// The machine that a monitor speaks for.
  public enum Target: Sendable, Hashable {
    /// A machine of the catalog.
    case stored(String)
    /// A machine that is nowhere stored, made of these image files.
    case files([String])
    /// A machine that is nowhere stored.
    case oneOff(Machine)
  }

  /// What recovery settled when the engine was opened, and what it could not settle: a sentence
  /// each. Until the latter are settled, what changes their images ends with an error.
  public let notices: [String]

  private let catalog: Catalog
  private let services: MonitorServices

  private init(catalog: Catalog, services: MonitorServices, notices: [String]) {
    self.catalog = catalog
    self.services = services
    self.notices = notices
  }

  /// Opens a catalog and settles what earlier processes left.
  ///
  /// Blocks while it reads; runs on a thread of its own.
  ///
  /// - Parameters:
  ///   - catalogPath: the database; it is created if it does not exist.
  ///   - recovers: whether recovery runs. Only those who ask for recovery themselves, or only look
  ///     at images or the catalog, leave it out.
  ///   - lockPatience: how long jobs wait for images and machines that are in use.
  ///   - onWait: told once who holds what is being waited for.
  ///   - logger: where remarks go that concern no command's outcome.
  /// - Returns: the engine; what recovery did is in ``notices``.
  /// - Throws: `QMPError` of kind `catalog` (or `permission`, `noSpace`) if the catalog cannot
  ///   be used.
  public static func open(
    catalogPath: String, recovers: Bool = true, lockPatience: Duration = .zero,
    onWait: @escaping @Sendable (String) -> Void = { _ in },
    logger: Logger = Logger(label: "snapjob")
  ) async throws(QMPError) -> Engine {
    try await onThread { () throws(JobError) in
      let catalog = try Catalog(path: catalogPath, logger: logger)
      let services = makeServices(
        catalog, lockPatience: lockPatience, onWait: onWait, logger: logger)
      let notices = recovers ? recover(services.recovery) : []
      return Engine(catalog: catalog, services: services, notices: notices)
    }
  }

  /// The QMP endpoint of one machine.
  ///
  /// - Parameters:
  ///   - target: the machine.
  ///   - followsAllMachines: whether its events tell of the jobs of all machines.
  ///   - onQuit: called for each `quit` that a client sends; it may refuse.
  /// - Returns: the endpoint; any number may be used at once.
  /// - Throws: `QMPError` of kind `notFound` for a machine that is not in the catalog, `usage`
  ///   for no files at all.
  public func monitor(
    for target: Target, followsAllMachines: Bool = false,
    onQuit: (@Sendable () throws(QMPError) -> Void)? = nil
  ) throws(QMPError) -> any QMPEndpoint {
    try makeMonitor(for: target, followsAllMachines: followsAllMachines, onQuit: onQuit)
  }

  /// As ``monitor(for:followsAllMachines:onQuit:)``, for those who have something to announce there.
  func makeMonitor(
    for target: Target, followsAllMachines: Bool = false,
    onQuit: (@Sendable () throws(QMPError) -> Void)?
  ) throws(QMPError) -> Monitor {
    do throws(JobError) {
      let target: Monitor.Target =
        switch target {
        case .stored(let name): .stored(try storedName(name))
        case .files(let paths): .oneOff(try Machine(files: paths))
        case .oneOff(let machine): .oneOff(machine)
        }
      return Monitor(
        target: target, services: services, followsAllMachines: followsAllMachines, onQuit: onQuit)
    } catch {
      throw QMPError(error)
    }
  }

  /// Keeps the monitor of a machine while the machine runs, until the task is cancelled; other processes of
  /// this catalog reach it through this one.
  ///
  /// - Parameters:
  ///   - name: the machine's name.
  ///   - logger: where it is noted that somebody else has it.
  ///   - onEvent: told what the machine tells of.
  func keepMonitor(
    ofMachine name: String, logger: Logger, _ onEvent: @Sendable (QMPEvent) -> Void
  ) async {
    let access = MonitorAccess(catalog, patience: .zero, onWait: { _ in })
    await MonitorKeeper(access: access, machines: catalog, name: name, logger: logger).run(onEvent)
  }

  /// The names of the machines in the catalog.
  public func machineNames() throws(QMPError) -> [String] {
    do throws(JobError) {
      return try services.machines.machines().compactMap(\.name)
    } catch {
      throw QMPError(error)
    }
  }

  /// Brings the jobs of this process to a safe end: what is not past its commit is cancelled and undone.
  ///
  /// - Parameter reason: the sentence that cancelled jobs end with.
  public func drain(because reason: String) async { await services.runner.drain(because: reason) }

  /// Ends the event streams of all monitors behind the events so far.
  public func endEvents() { services.runner.endEvents() }

  /// Lets the jobs of this process come to their end; those that wait for a `finalize` are cancelled.
  ///
  /// - Parameter reason: the sentence that cancelled jobs end with.
  public func finish(because reason: String) async {
    await services.runner.finish(because: reason)
  }

  /// Ends the engine's work; everything that is asked of its monitors later fails.
  public func close() { catalog.close() }

  private func storedName(_ name: String) throws(JobError) -> String {
    _ = try services.machines.machine(named: name)
    return name
  }
}

extension Engine {
  /// Builds everything that works on a catalog.
  private static func makeServices(
    _ catalog: Catalog, lockPatience: Duration, onWait: @escaping @Sendable (String) -> Void,
    logger: Logger
  ) -> MonitorServices {
    let access = ImageAccess(log: catalog, lockPatience: lockPatience, onWait: onWait)
    let live = QEMUMachines(MonitorAccess(catalog, patience: lockPatience, onWait: onWait))
    let orphanHandler: Recovery.OrphanHandler = {
      live.care(for: $0, machines: catalog, access: access)
    }
    let runner = JobRunner(
      store: catalog, committer: ImageCommitter(log: catalog),
      settlement: { runner, id throws(JobError) in
        _ = try Recovery(log: catalog, runner: runner, orphanHandler: orphanHandler).run(job: id)
      },
      remark: { id, error in
        logger.warning("job left something undone", metadata: ["job": "\(id)", "why": "\(error)"])
      })
    return MonitorServices(
      runner: runner, machines: catalog, makers: catalog, history: CatalogHistory(catalog: catalog),
      catalog: CatalogCare(catalog: catalog),
      images: StoredImages(access: access, secondReader: LibqcowReader(), live: live),
      live: live, channels: SystemByteChannels(),
      recovery: Recovery(
        log: catalog, runner: runner, orphanHandler: orphanHandler,
        otherLogs: { Catalog.defaultLogs(beside: catalog.catalogPath) }),
      busyPatience: lockPatience, onWait: onWait, version: version)
  }

  /// Runs recovery; what goes wrong is told, and does not keep anybody from looking at things.
  private static func recover(_ recovery: Recovery) -> [String] {
    do throws(JobError) {
      return try recovery.run().map { finding in
        let jobs = finding.jobs.map(\.description).joined(separator: ", ")
        let text = finding.obstacle?.message ?? finding.outcome
        return jobs.isEmpty ? text : "\(jobs): \(text)"
      }
    } catch {
      return ["recovery was not possible: \(error.message)"]
    }
  }
}
