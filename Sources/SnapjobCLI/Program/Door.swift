import Logging
import QMP
import Snapjob

/// What is asked of a door.
struct DoorRequest: Sendable {
  /// The catalog's absolute path.
  let catalog: String
  /// The machine's name.
  let machine: String
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

/// The way to an engine.
protocol Door: Sendable {
  /// Opens an endpoint on one machine.
  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor
}

/// The engine in this process.
struct EngineDoor: Door {
  /// The program's version.
  static let programVersion = Engine.version
  /// The newest catalog schema that this program knows.
  static let catalogSchemaVersion = Engine.catalogSchemaVersion

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    let engine = try await Engine.open(
      catalogPath: request.catalog, recovers: request.recovers,
      lockPatience: request.lockPatience, onWait: request.onWait,
      logger: Logger(label: "snapjob") { _ in NoticeLog(report: request.onNotice) })
    engine.notices.forEach(request.onNotice)
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
