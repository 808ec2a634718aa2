import ArgumentParser
import FileNames
import QMP
import Snapjob

/// `snapjob serve`.
struct ServeCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve QMP to other programs.",
    discussion: """
      Existing QMP clients (qmp-shell, libraries, socat in a script) work with it unchanged. One \
      socket is one machine: that of --machine, or with --all-machines every machine of the \
      catalog at a path of its own, in which {machine} stands for its name. The socket is its \
      owner's alone; the same user and root may connect, and may do with the machine what the server may, \
      also through the monitor of a running one. Others connect with --allow-uid; they name files \
      (devices save, node add, migrate) below the directories of --files only, where nobody but the \
      server's user and root may be able to change directories, and QEMU gets no command \
      from them that could name one.

      While the machine runs in QEMU (machine add --qmp), the server keeps its monitor, passes its events \
      on, and other commands of this catalog reach the machine through the server.

      stdio serves one client on standard input and output, as in: \
      ssh host snapjob serve --qmp stdio

      SIGTERM ends it: running jobs are brought to a safe end, clients are told, and the exit code \
      is 0. Under systemd it takes a socket that is handed over, and tells when it is ready.

      Examples:
        snapjob serve --qmp unix:/run/snapjob/default.sock
        snapjob serve --qmp unix:/run/snapjob/{machine}.sock --all-machines
        snapjob serve --qmp unix:/run/snapjob/default.sock --allow-uid 1000 --files /srv/exchange
        snapjob -m web01 serve --qmp stdio
      """)

  @Option(
    help: ArgumentHelp("Where to serve: unix:PATH or stdio.", valueName: "where"))
  var qmp: ServiceAddress?
  @Flag(help: "Serve every machine; PATH has {machine} in it.") var allMachines = false
  @Option(
    name: .customLong("allow-uid"),
    help: ArgumentHelp("Let another user connect; may be repeated.", valueName: "uid"))
  var allowedUsers: [UInt32] = []
  @Option(
    name: .customLong("files"),
    help: ArgumentHelp(
      "Let those users name files below a directory; may be repeated.", valueName: "dir"),
    completion: .directory)
  var directories: [String] = []
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    guard allMachines else { return }
    guard case .socket(let path) = qmp, path.contains(QMPService.machinePlaceholder) else {
      throw ValidationError(
        "--all-machines needs a socket for each: --qmp unix:/run/snapjob/{machine}.sock")
    }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    let manager = ServiceManager(session.surroundings.environment)
    let service = try await session.surroundings.door.service(
      try session.doorRequest(), plan: try plan(in: session, manager),
      guests: try guests(in: session))
    let signals = session.surroundings.signals
    signals.take { signal, count in
      switch InterruptionPolicy.action(count: count) {
      case .cancel: Task { await service.stop("host-signal") }
      case .leaveToRecovery: signals.endProcess(.interrupted(by: signal))
      }
    }
    do {
      try await service.run {
        manager.notifyReady()
        session.output.note("serving \(description)")
      }
    } catch {
      await service.close()
      throw error
    }
    await service.close()
    return .done
  }

  private func guests(in session: Session) throws(QMPError) -> QMPService.Guests {
    try QMPService.Guests(
      users: Set(allowedUsers), directories: directories.map(session.host.absolute))
  }

  private var description: String {
    switch qmp {
    case .socket(let path): "unix:\(path)"
    case .stdio: "standard input and output"
    case nil: "the socket that was handed over"
    }
  }

  private func plan(
    in session: Session, _ manager: ServiceManager
  ) throws -> QMPService.Plan {
    let machine = session.settings.machine
    switch qmp {
    case .socket(let path):
      let path = try session.host.absolute(path)
      return allMachines ? .allMachines(pathPattern: path) : .socket(machine: machine, path: path)
    case .stdio:
      return .pipe(machine: machine, input: 0, output: 1)
    case nil:
      guard let descriptor = manager.listeningDescriptor else {
        throw CommandFailure(
          .usage, "Say where to serve: --qmp unix:PATH or --qmp stdio")
      }
      return .listener(machine: machine, descriptor: descriptor)
    }
  }
}

/// Where `serve` serves.
enum ServiceAddress: ExpressibleByArgument, Hashable, Sendable {
  /// A UNIX socket.
  case socket(String)
  /// Standard input and output.
  case stdio

  init?(argument: String) {
    if argument == "stdio" {
      self = .stdio
    } else if let path = argument.suffix(after: "unix:"), !path.isEmpty {
      self = .socket(path)
    } else {
      return nil
    }
  }
}
