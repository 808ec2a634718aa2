import FileNames
import QMP

/// The global options as they hold for one run: command line, then environment, then defaults.
struct Settings: Sendable, Hashable {
  /// The catalog's absolute path.
  let catalog: String
  /// The machine's name.
  let machine: String
  /// The machine that a command line without the option means in this environment.
  let ambientMachine: String
  /// Whether the machine was named on the command line.
  let namesMachine: Bool
  /// Whether the catalog was named on the command line.
  let namesCatalog: Bool
  /// Whether the server was named on the command line.
  let namesConnection: Bool
  /// The address of the server that does the work; nil for the engine in this process.
  let connection: String?
  /// How long to wait for a held image or a busy machine.
  let lockPatience: Duration

  /// The machine that exists without being added.
  static let defaultMachine = "default"

  /// Works the settings out. An empty environment variable counts as unset.
  ///
  /// - Throws: a usage failure for a bad value, and for options that exclude each other.
  init(
    _ globals: GlobalOptions, environment: [String: String], userID: UInt32, host: Host
  ) throws(CommandFailure) {
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    connection = globals.connect ?? variable("SNAPJOB_CONNECT")
    if globals.connect != nil { try Self.checkAlone(globals) }
    for (option, value) in [("--catalog", globals.catalog), ("--machine", globals.machine)]
    where value?.isEmpty == true {
      throw CommandFailure(.usage, "\(option) needs a value that is not empty")
    }
    if let path = globals.catalog ?? variable("SNAPJOB_CATALOG") {
      do throws(QMPError) {
        catalog = try host.absolute(path)
      } catch {
        throw CommandFailure(error)
      }
    } else {
      catalog = try Self.defaultCatalog(
        state: variable("XDG_STATE_HOME"), home: variable("HOME"), userID)
    }
    ambientMachine = variable("SNAPJOB_MACHINE") ?? Self.defaultMachine
    machine = globals.machine ?? ambientMachine
    namesMachine = globals.machine != nil
    namesCatalog = globals.catalog != nil
    namesConnection = globals.connect != nil
    if let seconds = globals.waitLock {
      lockPatience = seconds.duration
    } else if let text = variable("SNAPJOB_WAIT_LOCK") {
      guard let seconds = Seconds(argument: text) else {
        throw CommandFailure(.usage, "SNAPJOB_WAIT_LOCK is '\(text)', not a number of seconds")
      }
      lockPatience = seconds.duration
    } else {
      lockPatience = .zero
    }
  }

  /// Refuses options that only the engine in this process can heed.
  private static func checkAlone(_ globals: GlobalOptions) throws(CommandFailure) {
    for (option, isGiven) in [
      ("--catalog", globals.catalog != nil), ("--wait-lock", globals.waitLock != nil),
    ] where isGiven {
      throw CommandFailure(
        .usage, "\(option) and --connect exclude each other: the server has its own. Leave one out")
    }
  }

  private static func defaultCatalog(
    state: String?, home: String?, _ userID: UInt32
  ) throws(CommandFailure) -> String {
    if userID == 0 { return "/var/lib/snapjob/catalog.sqlite" }
    // The XDG specification has relative paths ignored.
    if let state, state.isAbsolutePath { return state + "/snapjob/catalog.sqlite" }
    guard let home, home.isAbsolutePath else {
      throw CommandFailure(
        .catalog, "HOME is not set, so there is no place for the catalog. Name one: --catalog PATH")
    }
    return home + "/.local/state/snapjob/catalog.sqlite"
  }
}
