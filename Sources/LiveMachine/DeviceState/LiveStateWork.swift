import FileNames
private import Glibc
public import Jobs
internal import QMP
public import SnapshotJobs

/// A job on the device state of a machine that may be running: done by QEMU if it is, on the files if it is not.
public struct LiveStateWork: JobWork {
  private let request: DeviceStateRequest
  private let machine: Machine
  private let address: String
  private let connector: LiveConnector
  private let access: ImageAccess

  /// Makes the work of one job; nobody is asked for anything yet.
  ///
  /// - Parameters:
  ///   - request: what is to be done.
  ///   - machine: the machine as the catalog has it.
  ///   - address: its monitor's.
  ///   - connector: the way to it.
  ///   - access: the way to the machine's files.
  public init(
    _ request: DeviceStateRequest, machine: Machine, address: String, connector: LiveConnector,
    access: ImageAccess
  ) {
    self.request = request
    self.machine = machine
    self.address = address
    self.connector = connector
    self.access = access
  }

  /// Does it. A snapshot's state is read from its image, whether the machine runs or not.
  ///
  /// - Throws: `JobError`.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    switch request.operation {
    case .save:
      if request.tag == nil, let connection = try connect() {
        return try save(connection, control)
      }
      return try DeviceStateSaving(request, machine: machine, access: access).prepare(control)
    case .load:
      if let connection = try connect() { return try load(connection, control) }
      return try DeviceStateLoading(request, machine: machine, access: access).prepare(control)
    }
  }

  private func connect() throws(JobError) -> LiveConnection? {
    let (connector, address) = (connector, address)
    return try waiting { try await connector.connect(address) }
  }

  /// Uses a connection, and closes it.
  private func use<Value: Sendable>(
    _ connection: LiveConnection,
    _ body: @escaping @Sendable (any QMPEndpoint) async throws -> Value
  ) throws(JobError) -> Value {
    try waiting {
      do {
        let value = try await body(connection.endpoint)
        await connection.close()
        return value
      } catch {
        await connection.close()
        throw error
      }
    }
  }

  /// Checks that the machine can be told of the file: JSON has no name that is no UTF-8, and QEMU would take another
  /// file.
  private static func checkName(_ request: DeviceStateRequest) throws(JobError) {
    guard request.filename.hasBytesOfFileNames else { return }
    throw JobError(
      .usage,
      "\(request.filename) is no UTF-8, and a running machine cannot be told of it. Choose another name"
    )
  }

  // MARK: Save

  /// Has QEMU write a file of its own beside the one that is wanted, and makes that from it.
  private func save(
    _ connection: LiveConnection, _ control: JobControl
  ) throws -> any PreparedWork {
    let request = request
    let path = DeviceStateSaving.hiddenPath(beside: request.filename)
    defer { unlink(path) }
    try use(connection) { monitor in
      try Self.checkName(request)
      guard !request.withRAM else {
        throw JobError(
          .usage,
          "A running machine writes its devices only. With RAM: \(NextStep("save", "--tag", "TAG")), then "
            + "\(NextStep("devices", "save", "FILE", "--with-ram", "--tag", "TAG"))")
      }
      try control.checkpoint()
      // Without `live` a machine that is stopped keeps its images; with it, it would let go of them.
      let isRunning = try await monitor.execute("query-status", nil).isTrue("running")
      _ = try await monitor.execute(
        "xen-save-devices-state",
        ["filename": .string(path), "live": .bool(request.live ?? isRunning)])
    }
    return try DeviceStateSaving(request, machine: machine, access: access)
      .prepare(fromFile: path, control)
  }

  // MARK: Load

  private func load(
    _ connection: LiveConnection, _ control: JobControl
  ) throws -> any PreparedWork {
    let request = request
    try use(connection) { monitor in
      try Self.checkName(request)
      let arguments = try HarmfulCommand.check(
        request.operation.rawValue,
        ["filename": .string(request.filename), HarmfulCommand.force: .bool(request.force)])
      try DeviceStateLoading.check(request.filename, control)
      _ = try await monitor.execute(request.operation.rawValue, arguments)
    }
    return LoadedState()
  }
}

/// A state that a running machine has loaded: there is nothing left to do, and nothing to undo.
private struct LoadedState: PreparedWork {
  func undo() throws {
    throw JobError(.conflict, "the running machine has loaded it already")
  }
  func finish() throws -> String? { nil }
  func abandon() {}
}
