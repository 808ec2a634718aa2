import FileNames
public import Logging
import Monitor
public import QMP
import QMPTransport
import Synchronization

/// Machines of an engine, served over QMP.
public final class QMPService: Sendable {
  /// What is served, and where.
  public enum Plan: Sendable, Hashable {
    /// One machine at a socket's path.
    case socket(machine: String, path: String)
    /// One machine at a socket that listens already.
    case listener(machine: String, descriptor: Int32)
    /// One machine to one client on these descriptors.
    case pipe(machine: String, input: Int32, output: Int32)
    /// Every machine at a path of its own; `{machine}` stands for its name. Machines that are added or
    /// removed later are served and given up within a second.
    case allMachines(pathPattern: String)
  }

  /// Users that are neither root nor that of the server, and what they may do.
  public struct Guests: Sendable, Hashable {
    /// Their ids.
    public let users: Set<UInt32>
    /// Directories without symbolic links below which they may name files; none for no files at all.
    public let directories: [String]

    /// No guests.
    public init() { (users, directories) = ([], []) }

    /// Makes a list of guests.
    ///
    /// - Parameters:
    ///   - users: their ids.
    ///   - directories: absolute; symbolic links are followed now.
    /// - Throws: `QMPError` of kind `notFound` for what is no directory.
    public init(users: Set<UInt32>, directories: [String]) throws(QMPError) {
      self.users = users
      self.directories = try directories.map { path throws(QMPError) in
        // A final slash lets nothing but a directory pass.
        guard let real = realpath(path + "/") else {
          throw QMPError(
            .genericError, "\(path) is no directory. Make it before: mkdir", kind: "notFound")
        }
        return real
      }
    }
  }

  /// Stands for the machine's name in ``Plan/allMachines(pathPattern:)``.
  public static let machinePlaceholder = "{machine}"

  private let engine: Engine
  private let plan: Plan
  private let peers: PeerCheck
  private let guests: Guests
  private let logger: Logger
  private let state = Mutex(State())

  private struct State {
    /// By the bytes of their machines' names.
    var servers: [[UInt8]: QMPServer] = [:]
    var isStopping = false
  }

  /// Makes a service; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - engine: executes the commands; it stays open as long as the service runs.
  ///   - plan: what is served, and where.
  ///   - guests: who may connect beside root and the user of this process.
  ///   - logger: where clients that are turned away and sockets that fail are noted.
  public init(
    _ engine: Engine, _ plan: Plan, guests: Guests = Guests(),
    logger: Logger = Logger(label: "snapjob")
  ) {
    self.engine = engine
    self.plan = plan
    peers = PeerCheck(allowing: guests.users)
    self.guests = guests
    self.logger = logger
  }

  /// Serves until ``stop(reason:)``; a pipe until its client has gone.
  ///
  /// - Parameter onReady: called once clients can connect.
  /// - Throws: `QMPError`: not found for an unknown machine, or why a socket cannot be had.
  public func run(onReady: @escaping @Sendable () -> Void) async throws(QMPError) {
    switch plan {
    case .socket(let machine, let path): try await serve(machine, .path(path), onReady)
    case .listener(let machine, let descriptor):
      try await serve(machine, .listener(descriptor), onReady)
    case .pipe(let machine, let input, let output):
      try await serve(machine, .pipe(input: input, output: output), onReady) {
        // The one client has gone; what it has started goes on.
        await engine.finish(because: "the client has gone away; nothing was changed")
      }
    case .allMachines(let pattern): try await serveAll(pattern, onReady)
    }
  }

  /// Ends the service: no command is executed any more, jobs are brought to a safe end, clients are told of
  /// it and of the end.
  ///
  /// - Parameter reason: as in QEMU's `SHUTDOWN` event: `host-signal` or `host-qmp-quit`.
  public func stop(reason: String) async {
    let servers = state.withLock { state in
      state.isStopping = true
      return state.servers.values.map { $0 }
    }
    for server in servers { server.refuseCommands() }
    await engine.drain(because: "the server is shutting down; nothing was changed")
    // The clients hear of all that before they hear of the end.
    engine.endEvents()
    await withDiscardingTaskGroup { group in
      for server in servers { group.addTask { await server.stop(reason: reason) } }
    }
  }

  /// A client's `quit`: as in QEMU it ends the process, but not over the heads of other machines'
  /// clients.
  private func quit() throws(QMPError) {
    if case .allMachines = plan {
      throw QMPError(
        .genericError,
        "This server serves other machines, too, and no client ends it; end it by SIGTERM "
          + "(systemctl stop)")
    }
    Task { await stop(reason: "host-qmp-quit") }
  }

  private var isStopping: Bool { state.withLock { state in state.isStopping } }

  /// Serves one machine, and keeps its monitor while it runs.
  private func serve(
    _ machine: String, _ source: QMPServer.Source, _ onReady: @escaping @Sendable () -> Void,
    atEnd: () async -> Void = {}
  ) async throws(QMPError) {
    let monitor = try engine.makeMonitor(for: .stored(machine)) { () throws(QMPError) in
      try self.quit()
    }
    let server = QMPServer(
      endpoint: monitor,
      guestEndpoint: monitor.restricted(toFilesBelow: guests.directories),
      commands: Monitor.commands, peers: peers, logger: logger)
    let isStopping = state.withLock { state in
      if !state.isStopping { state.servers[Array(machine.utf8)] = server }
      return state.isStopping
    }
    if isStopping { return }
    defer { _ = state.withLock { state in state.servers.removeValue(forKey: Array(machine.utf8)) } }
    let keeping = Task { [engine, logger] in
      await engine.keepMonitor(ofMachine: machine, logger: logger) { monitor.announce($0) }
    }
    let outcome: Result<Void, QMPError>
    do throws(QMPError) {
      outcome = .success(try await server.run(source, onReady: onReady))
    } catch {
      outcome = .failure(error)
    }
    await atEnd()
    keeping.cancel()
    await keeping.value
    try outcome.get()
  }

  /// How often it is looked whether machines have come or gone.
  private static let lookPeriod = Duration.seconds(1)

  private func serveAll(
    _ pattern: String, _ onReady: @escaping @Sendable () -> Void
  ) async throws(QMPError) {
    var isFirstLook = true
    // One element for each machine whose clients can connect, or for which that failed.
    let (settled, feed) = AsyncStream.makeStream(of: Void.self)
    await withDiscardingTaskGroup { group in
      while !isStopping {
        let wanted = (try? engine.machineNames()) ?? []
        let served = state.withLock { state in state.servers }
        for (name, server) in served where !wanted.contains(where: { Array($0.utf8) == name }) {
          await server.stop(reason: "host-qmp-quit")
        }
        for name in wanted where served[Array(name.utf8)] == nil {
          let path = pattern.replacing(Self.machinePlaceholder, with: name)
          group.addTask {
            do throws(QMPError) {
              try await self.serve(name, .path(path)) { feed.yield() }
            } catch {
              self.logger.error("\(error.desc)", metadata: ["machine": "\(name)"])
            }
            feed.yield()
          }
        }
        if isFirstLook {
          for await _ in settled.prefix(wanted.count) {}
          onReady()
        }
        isFirstLook = false
        try? await Task.sleep(for: Self.lookPeriod)
      }
    }
  }
}
