import Jobs
public import QMP
public import SnapshotJobs

/// The QMP endpoint of one machine in this process: looks commands up in one table and runs them.
///
/// Commands run concurrently, each on a thread that may block. A stored machine is read afresh for
/// each command, so that changes by other processes are seen.
public final class Monitor: QMPEndpoint {
  /// The machine that a monitor speaks for.
  public enum Target: Sendable, Hashable {
    /// A machine of the catalog.
    case stored(String)
    /// A machine that is nowhere stored, made of image files.
    case oneOff(Machine)
  }

  /// The signatures of all commands, sorted by name.
  public static var commands: [CommandSignature] {
    CommandTable.standard.commands.map(\.signature)
  }

  private let context: CommandContext
  private let followsAllMachines: Bool

  private init(_ context: CommandContext, followsAllMachines: Bool) {
    self.context = context
    self.followsAllMachines = followsAllMachines
  }

  /// Makes a monitor.
  ///
  /// - Parameters:
  ///   - target: the machine; whether a stored one exists is looked up by the commands.
  ///   - services: what the commands work with.
  ///   - followsAllMachines: whether events tell of the jobs of all machines.
  ///   - onQuit: called for each `quit`, before its reply: whoever serves the monitor ends it then
  ///     and tells its clients, or refuses. Without it nothing ends, and `SHUTDOWN` is emitted here.
  public init(
    target: Target, services: MonitorServices, followsAllMachines: Bool = false,
    onQuit: (@Sendable () throws(QMPError) -> Void)? = nil
  ) {
    let announcements = Announcements()
    context = CommandContext(
      target: target, services: services, ownJobs: OwnJobs(), announcements: announcements,
      migrations: Migrations(announcements), onQuit: onQuit)
    self.followsAllMachines = followsAllMachines
  }

  /// The same monitor for clients that may name files in some directories only.
  ///
  /// - Parameter directories: absolute, without symbolic links.
  /// - Returns: the monitor, which shares its events and jobs with this one.
  public func restricted(toFilesBelow directories: [String]) -> Monitor {
    var context = context
    context.files = NamedFiles(directories: directories)
    return Monitor(context, followsAllMachines: followsAllMachines)
  }

  /// Executes one command and waits for its reply.
  ///
  /// - Throws: `QMPError` whose `kind` is the raw value of a `FailureKind`.
  public func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    if let reply = try await context.passOn(command, arguments) { return reply }
    guard let entry = CommandTable.standard[command] else {
      throw QMPError(.commandNotFound, "The command \(command) has not been found")
        .withKind(.usage)
    }
    let checked: Arguments
    do throws(QMPError) {
      checked = try entry.signature.check(arguments)
    } catch {
      throw error.withKind(.usage)
    }
    let task = Task(executorPreference: BlockingExecutor.shared) { [context] in
      do {
        return Result<QMPValue, QMPError>.success(try await entry.run(checked, context))
      } catch {
        // What a handler says about arguments is as wrong a usage as what the signature says.
        return .failure(QMPError(thrown: error).withKind(.usage))
      }
    }
    return try await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }.get()
  }

  /// Sends an event of the machine itself to all who follow this monitor.
  public func announce(_ event: QMPEvent) { context.announcements.announce(event) }

  /// `JOB_STATUS_CHANGE` for every status of every job on the machine, from now on; with a one-off
  /// machine, of the jobs that were started through this monitor.
  ///
  /// The stream ends for a reader who leaves 1024 events unread.
  public func events() -> AsyncStream<QMPEvent> {
    JobEventStream(context: context, isUnfiltered: followsAllMachines).start()
  }
}
