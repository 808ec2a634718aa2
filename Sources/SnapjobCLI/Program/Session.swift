import QMP

/// What a command works with: its settings, its output, and the way to an endpoint.
struct Session: Sendable {
  /// The global options, with environment and defaults.
  let settings: Settings
  /// Where results and notes go.
  let output: Output
  /// What is outside the program.
  let surroundings: Surroundings
  /// The arguments of this run, for a process that goes on in the background.
  let arguments: [String]

  /// Clock, randomness and current directory.
  var host: Host { surroundings.host }

  /// Opens an endpoint, uses it, and closes it.
  ///
  /// - Parameters:
  ///   - machine: the machine; nil for the one of the global options.
  ///   - files: images of a one-off machine instead.
  ///   - recovers: whether what an earlier process left is settled first; not for commands that only look at
  ///     images, which never write to them.
  ///   - followsAllMachines: whether the events tell of the jobs of all machines.
  ///   - body: uses it.
  /// - Returns: what the body returns.
  /// - Throws: the endpoint's error if it cannot be opened, or what the body throws.
  func withEndpoint<Result>(
    machine: String? = nil, files: [String] = [], recovers: Bool = true,
    followsAllMachines: Bool = false, _ body: (any QMPEndpoint) async throws -> Result
  ) async throws -> Result {
    let request = try doorRequest(
      machine: machine, files: files, recovers: recovers, followsAllMachines: followsAllMachines)
    let opened = try await surroundings.door.open(request)
    do {
      let result = try await body(opened.endpoint)
      await opened.close()
      return result
    } catch {
      await opened.close()
      throw error
    }
  }
}

extension Session {
  /// What is asked of the door.
  ///
  /// - Throws: as ``Host/absolute(_:)``.
  func doorRequest(
    machine: String? = nil, files: [String] = [], recovers: Bool = true,
    followsAllMachines: Bool = false
  ) throws -> DoorRequest {
    let output = output
    return DoorRequest(
      catalog: settings.catalog, machine: machine ?? settings.machine,
      connection: settings.connection,
      demandedMachine: settings.namesMachine && machine == nil ? settings.machine : nil,
      files: try files.map(host.absolute), lockPatience: settings.lockPatience,
      recovers: recovers, followsAllMachines: followsAllMachines,
      onWait: { output.note("waiting: \($0)") },
      onNotice: { output.note($0) })
  }

  /// The same without results and notes, for a job that is only a step of a command.
  func silenced() -> Session {
    Session(
      settings: settings, output: output.silenced(), surroundings: surroundings,
      arguments: arguments)
  }
}
