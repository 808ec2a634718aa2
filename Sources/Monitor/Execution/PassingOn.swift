import Jobs
import QMP
import SnapshotJobs

/// What a running machine is asked itself.
extension CommandContext {
  /// Commands of the table that are about the guest: while it runs, QEMU knows better.
  private static let guestCommands: Set<String> = [
    "query-status", "stop", "cont", "human-monitor-command", "query-migrate", "migrate_cancel",
    "migrate-continue", "query-migrate-capabilities", "migrate-set-capabilities",
    "query-migrate-parameters", "migrate-set-parameters",
  ]

  /// Commands of QEMU that are about the guest unless they ask for what only snapjob has.
  private static let sharedCommands: Set<String> = ["migrate", "migrate-incoming"]

  /// Passes a command on to the running machine, if it is one of QEMU's that snapjob has no part in.
  ///
  /// - Returns: the reply; nil if it is not to be passed on, or the machine does not run.
  /// - Throws: QEMU's error, or what keeps the machine from being asked.
  func passOn(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue? {
    if let reply = try await passOnToNodes(command, arguments) { return reply }
    let isForeign = CommandTable.standard[command] == nil && !command.hasPrefix("x-snapjob-")
    let isShared =
      Self.sharedCommands.contains(command)
      && !(arguments?.members.contains { $0.name.hasPrefix("x-") } ?? false)
    guard isForeign || isShared || Self.guestCommands.contains(command),
      let address = (try? machine())?.monitor
    else { return nil }
    try requirePassable(command, arguments)
    return try await services.live.execute(command, arguments, at: address)
  }

  /// Refuses what a client that may not name every file could name one with: QEMU opens what it is told to.
  ///
  /// - Throws: `QMPError` of kind permission.
  private func requirePassable(
    _ command: String, _ arguments: QMPValue?
  ) throws(QMPError) {
    guard files.directories != nil, !command.hasPrefix("query-"), arguments?.hasText == true
    else { return }
    throw QMPError(
      JobError(
        .permission,
        "\(command) is passed on to QEMU only for the server's own user and root: what it says can name any "
          + "file"))
  }

  /// Refuses what would need a machine to be files only.
  ///
  /// - Throws: `JobError` (in use) if it runs.
  func requireStopped(_ machine: Machine) async throws {
    guard let address = machine.monitor,
      try await services.live.execute("query-status", nil, at: address) != nil
    else { return }
    throw JobError(
      .inUse,
      "Machine '\(machine.name ?? "")' is running, and its bitmaps are in QEMU's memory: its own migrate "
        + "would take the whole machine along. Shut it down first; to copy a bitmap while it runs: "
        + "\(NextStep("bitmap", "merge", "NODE", "TARGET", "SOURCE"))")
  }

  /// Commands of the table about disks that a running QEMU keeps to itself: what it has recorded into their
  /// bitmaps is in its memory.
  private static let nodeCommands = Set(
    BitmapCommand.allCases.map(\.rawValue) + ["x-debug-block-dirty-bitmap-sha256"])

  /// Passes a command on to the running machine, if it is about the bitmaps of its disks.
  private func passOnToNodes(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue? {
    guard Self.nodeCommands.contains(command) || isForQEMU(command, arguments),
      let machine = try? machine(), let address = machine.monitor,
      let names = try await services.live.blockNodes(of: machine, at: address)
    else { return nil }
    do throws(QMPError) {
      return try await services.live.execute(
        command, arguments?.renamingNodes(names), at: address)
    } catch {
      throw error.asBitmapRefusal
    }
  }

  /// Whether a transaction is one that QEMU knows: it has no snapshot jobs among its actions.
  private func isForQEMU(_ command: String, _ arguments: QMPValue?) -> Bool {
    guard command == "transaction", let actions = arguments?["actions"]?.elements else {
      return false
    }
    return !actions.contains { action in
      SnapshotRequest.Operation(rawValue: action.text("type")) != nil
    }
  }

  /// The bitmaps of a running machine as its QEMU tells of them; nil if it does not run.
  func runningBitmaps(of machine: Machine, on nodes: [Node]) async throws -> [QMPValue]? {
    guard let address = machine.monitor,
      let names = try await services.live.blockNodes(of: machine, at: address),
      let reply = try await services.live.execute(
        "query-named-block-nodes", ["flat": true], at: address)
    else { return nil }
    return nodes.flatMap { node -> [QMPValue] in
      let name = node.name.description
      let told = reply.elements.first { $0.text("node-name") == names[name] }
      return (told?["dirty-bitmaps"]?.elements ?? []).reversed().map {
        BitmapDescription.json($0, on: node)
      }
    }
  }
}

extension QMPValue {
  /// Whether there is a string in it, at any depth.
  fileprivate var hasText: Bool {
    switch self {
    case .string: true
    case .array(let elements): elements.contains { $0.hasText }
    case .object(let members): members.contains { $0.value.hasText }
    default: false
    }
  }

  /// Arguments with other names for nodes, wherever they stand: in `node` and `device` members, at any depth.
  fileprivate func renamingNodes(_ names: [String: String]) -> QMPValue {
    switch self {
    case .array(let elements): .array(elements.map { $0.renamingNodes(names) })
    case .object(let members):
      .object(
        members.map { member in
          guard ["node", "device"].contains(member.name), case .string(let name) = member.value
          else { return Member(member.name, member.value.renamingNodes(names)) }
          return Member(member.name, .string(names[name] ?? name))
        })
    default: self
    }
  }
}
