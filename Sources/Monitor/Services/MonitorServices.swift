public import Jobs
public import SnapshotJobs

/// Everything that commands work with.
public struct MonitorServices: Sendable {
  /// Runs the jobs.
  public let runner: JobRunner
  /// Where machines are kept.
  public let machines: any MachineStore
  /// Who made which snapshot.
  public let makers: any SnapshotMakers
  /// The jobs of the past.
  public let history: any JobHistory
  /// The catalog as a whole.
  public let catalog: any CatalogMaintenance
  /// The way to images.
  public let images: any MachineImages
  /// The way to machines that run.
  public let live: any LiveMachines
  /// The way to other programs, for migrations.
  public let channels: any ByteChannels
  /// Settles what earlier processes left.
  public let recovery: Recovery
  /// How long a job waits for another one on the same machine to conclude; zero for not at all.
  public let busyPatience: Duration
  /// Told once what is being waited for.
  public let onWait: @Sendable (String) -> Void
  /// The program's version, `0.1.0` for example.
  public let version: String

  /// Collects the services.
  public init(
    runner: JobRunner, machines: any MachineStore, makers: any SnapshotMakers,
    history: any JobHistory,
    catalog: any CatalogMaintenance, images: any MachineImages,
    live: any LiveMachines = NoLiveMachines(), channels: any ByteChannels = NoByteChannels(),
    recovery: Recovery,
    busyPatience: Duration = .zero, onWait: @escaping @Sendable (String) -> Void = { _ in },
    version: String
  ) {
    self.runner = runner
    self.machines = machines
    self.makers = makers
    self.history = history
    self.catalog = catalog
    self.images = images
    self.live = live
    self.channels = channels
    self.recovery = recovery
    self.busyPatience = busyPatience
    self.onWait = onWait
    self.version = version
  }
}
