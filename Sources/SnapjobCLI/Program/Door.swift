import Logging
import QMP
import Snapjob

/// What is asked of a door.
struct DoorRequest: Sendable {
  /// The catalog's absolute path.
  let catalog: String
  /// The machine's name.
  let machine: String
  /// The address of a server to use instead of an engine in this process; nil for none.
  let connection: String?
  /// The machine that was named on the command line, and that a server has to have; nil for none.
  let demandedMachine: String?
  /// Absolute paths of images for a one-off machine instead of a stored one.
  let files: [String]
  /// How long to wait for an image that another program holds.
  let lockPatience: Duration
  /// Whether what an earlier process left is settled first.
  let recovers: Bool
  /// Whether the events tell of the jobs of all machines.
  let followsAllMachines: Bool
  /// Told once who holds what is being waited for.
  let onWait: @Sendable (String) -> Void
  /// Told what opening has settled or could not settle.
  let onNotice: @Sendable (String) -> Void
}

/// An endpoint and the way to close it.
struct OpenDoor: Sendable {
  /// The endpoint.
  let endpoint: any QMPEndpoint
  /// Ends its work; to be called once.
  let close: @Sendable () async -> Void
}

/// A service that is ready to run.
struct OpenService: Sendable {
  /// Serves until it is stopped; calls back once clients can connect.
  let run: @Sendable (@escaping @Sendable () -> Void) async throws -> Void
  /// Ends it in an orderly way; the reason is that of QEMU's `SHUTDOWN` event.
  let stop: @Sendable (_ reason: String) async -> Void
  /// Lets go of the engine; to be called once.
  let close: @Sendable () async -> Void
}

/// The way to an engine.
protocol Door: Sendable {
  /// Opens an endpoint on one machine.
  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor

  /// Opens an engine that serves machines to other programs.
  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService
}

/// The engine in this process.
struct EngineDoor: Door {
  /// The program's version.
  static let programVersion = Engine.version
  /// The newest catalog schema that this program knows.
  static let catalogSchemaVersion = Engine.catalogSchemaVersion

  private static func logger(_ request: DoorRequest) -> Logger {
    Logger(label: "snapjob") { _ in NoticeLog(report: request.onNotice) }
  }

  private static func engine(_ request: DoorRequest) async throws(QMPError) -> Engine {
    let engine = try await Engine.open(
      catalogPath: request.catalog, recovers: request.recovers,
      lockPatience: request.lockPatience, onWait: request.onWait, logger: logger(request))
    engine.notices.forEach(request.onNotice)
    return engine
  }

  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService {
    let engine = try await Self.engine(request)
    let service = QMPService(
      engine, plan, guests: guests, logger: Self.logger(request))
    return OpenService(
      run: { try await service.run(onReady: $0) }, stop: { await service.stop(reason: $0) },
      close: { engine.close() })
  }

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    let engine = try await Self.engine(request)
    do throws(QMPError) {
      let endpoint = try engine.monitor(
        for: request.files.isEmpty ? .stored(request.machine) : .files(request.files),
        followsAllMachines: request.followsAllMachines)
      return OpenDoor(endpoint: endpoint, close: { engine.close() })
    } catch {
      engine.close()
      throw error
    }
  }
}
