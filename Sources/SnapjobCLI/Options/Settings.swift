/// The global options as they hold for one run: command line, then environment, then defaults.
struct Settings: Sendable, Hashable {
  /// The catalog's absolute path.
  let catalog: String
  /// The machine's name.
  let machine: String
  /// Whether the machine was named on the command line.
  let namesMachine: Bool
  /// How long to wait for a held image or a busy machine.
  let lockPatience: Duration

  /// The machine that exists without being added.
  static let defaultMachine = "default"

  /// Works the settings out. An empty environment variable counts as unset.
  ///
  /// - Throws: a usage failure for a bad value, and for `--connect`.
  init(
    _ globals: GlobalOptions, environment: [String: String], userID: UInt32, host: Host
  ) throws(CommandFailure) {
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    if globals.connect != nil || variable("SNAPJOB_CONNECT") != nil {
      let source = globals.connect == nil ? "SNAPJOB_CONNECT" : "--connect"
      throw CommandFailure(
        .usage,
        "\(source) is not supported by this version: the engine runs in this process. "
          + "Leave it out")
    }
    for (option, value) in [("--catalog", globals.catalog), ("--machine", globals.machine)]
    where value?.isEmpty == true {
      throw CommandFailure(.usage, "\(option) needs a value that is not empty")
    }
    if let path = globals.catalog ?? variable("SNAPJOB_CATALOG") {
      catalog = host.absolute(path)
    } else {
      catalog = try Self.defaultCatalog(
        state: variable("XDG_STATE_HOME"), home: variable("HOME"), userID)
    }
    machine = globals.machine ?? variable("SNAPJOB_MACHINE") ?? Self.defaultMachine
    namesMachine = globals.machine != nil
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

  private static func defaultCatalog(
    state: String?, home: String?, _ userID: UInt32
  ) throws(CommandFailure) -> String {
    if userID == 0 { return "/var/lib/snapjob/catalog.sqlite" }
    // The XDG specification has relative paths ignored.
    if let state, state.hasPrefix("/") { return state + "/snapjob/catalog.sqlite" }
    guard let home, home.hasPrefix("/") else {
      throw CommandFailure(
        .catalog, "HOME is not set, so there is no place for the catalog. Name one: --catalog PATH")
    }
    return home + "/.local/state/snapjob/catalog.sqlite"
  }
}
