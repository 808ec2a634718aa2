import FileNames
import GRDB
import Jobs
import SnapshotJobs

/// Machines and nodes in one transaction of the database.
struct MachineTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// All machines; `default` first, then by name.
  func machines() throws -> [Machine] {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM machine ORDER BY name <> ?, name", arguments: [Machine.defaultName])
    return try rows.map(machine)
  }

  /// One machine.
  func machine(named name: String) throws -> Machine {
    let row = try Row.fetchOne(
      db, sql: "SELECT * FROM machine WHERE name = ?", arguments: [name])
    guard let row else { throw Self.missing(name) }
    return try machine(row)
  }

  private func machine(_ row: Row) throws -> Machine {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM node WHERE machine = ? ORDER BY position",
      arguments: [try row.value("number", as: Int64.self)])
    return Machine(
      name: try row.value("name"),
      nodes: try rows.map { node in
        Node(
          name: try node.checked("name", NodeName.init), path: try node.value("path"),
          isReadOnly: try node.value("read_only"), isExcluded: try node.value("excluded"))
      },
      vmstate: try row.optional("vmstate", as: String.self) == nil
        ? nil : row.checked("vmstate", NodeName.init),
      monitor: try row.optional("monitor", as: String.self))
  }

  /// Adds a machine without nodes.
  func add(_ name: String) throws {
    let allowed = name.utf8.allSatisfy { byte in
      byte > 0x20 && byte != 0x7F && !"/'\"\\".utf8.contains(byte)
    }
    guard !name.isEmpty, allowed, !name.hasPrefix("-"), !name.hasBytesOfFileNames else {
      throw JobError(
        .usage,
        "'\(name)' is no name for a machine: it is UTF-8, takes no spaces, quotes or slashes and does not "
          + "begin with '-'")
    }
    guard try find(name) == nil else {
      throw JobError(
        .conflict,
        "Machine '\(name)' exists already. To see it: \(NextStep(["machine", "show", name]))")
    }
    try db.execute(sql: "INSERT INTO machine (name) VALUES (?)", arguments: [name])
  }

  /// Forgets a machine and its nodes.
  func remove(_ name: String) throws {
    guard name != Machine.defaultName else {
      throw JobError(.conflict, "Machine '\(name)' always exists and cannot be removed")
    }
    let number = try number(name)
    let job = try String.fetchOne(
      db, sql: "SELECT id FROM job WHERE subject = ? AND \(JobRow.isOpen) ORDER BY seq LIMIT 1",
      arguments: [name])
    if let job {
      throw JobError(.inUse, "Machine '\(name)' is busy with job '\(job)'; wait for its end")
    }
    if let job = try CommitTable(db).openJob(machine: number, name: name) {
      throw JobError(
        .conflict,
        "Machine '\(name)' cannot be removed: job '\(job)' has left a commit on its disks that is "
          + "not done. To settle it: \(NextStep("recover"))")
    }
    try db.execute(sql: "DELETE FROM machine WHERE number = ?", arguments: [number])
  }

  /// Says where the machine's monitor listens.
  func setMonitor(_ address: String?, of name: String) throws {
    let number = try number(name)
    try db.execute(
      sql: "UPDATE machine SET monitor = ? WHERE number = ?", arguments: [address, number])
  }

  /// Chooses the node that keeps device state.
  func setVMState(_ node: NodeName?, of name: String) throws {
    let number = try number(name)
    if let node { _ = try position(of: node, in: number) }
    try db.execute(
      sql: "UPDATE machine SET vmstate = ? WHERE number = ?",
      arguments: [node?.description, number])
  }

  /// Adds a node at the end.
  func add(_ node: Node, to name: String) throws {
    let number = try number(name)
    try checkFree(node.name, in: number)
    try db.execute(
      sql: """
        INSERT INTO node (machine, position, name, path, read_only, excluded)
        VALUES (?, (SELECT COALESCE(MAX(position), 0) + 1 FROM node WHERE machine = ?), ?, ?, ?, ?)
        """,
      arguments: [
        number, number, node.name.description, node.path, node.isReadOnly, node.isExcluded,
      ])
  }

  /// Replaces a node at its place.
  func replace(_ old: NodeName, with node: Node, in name: String) throws {
    let number = try number(name)
    let position = try position(of: old, in: number)
    if node.name != old { try checkFree(node.name, in: number) }
    try db.execute(
      sql: """
        UPDATE node SET name = ?, path = ?, read_only = ?, excluded = ?
        WHERE machine = ? AND position = ?
        """,
      arguments: [
        node.name.description, node.path, node.isReadOnly, node.isExcluded, number, position,
      ])
    try db.execute(
      sql: "UPDATE machine SET vmstate = ? WHERE number = ? AND vmstate = ?",
      arguments: [node.name.description, number, old.description])
  }

  /// Forgets a node.
  func remove(_ node: NodeName, from name: String) throws {
    let number = try number(name)
    let position = try position(of: node, in: number)
    try db.execute(
      sql: "DELETE FROM node WHERE machine = ? AND position = ?", arguments: [number, position])
    try db.execute(
      sql: "UPDATE machine SET vmstate = NULL WHERE number = ? AND vmstate = ?",
      arguments: [number, node.description])
  }

  private func find(_ name: String) throws -> Int64? {
    try Int64.fetchOne(db, sql: "SELECT number FROM machine WHERE name = ?", arguments: [name])
  }

  private func number(_ name: String) throws -> Int64 {
    guard let number = try find(name) else { throw Self.missing(name) }
    return number
  }

  private func position(of node: NodeName, in machine: Int64) throws -> Int64 {
    let position = try Int64.fetchOne(
      db, sql: "SELECT position FROM node WHERE machine = ? AND name = ?",
      arguments: [machine, node.description])
    guard let position else {
      throw JobError(.notFound, "Failed to find node with node-name='\(node)'")
    }
    return position
  }

  private func checkFree(_ node: NodeName, in machine: Int64) throws {
    let isTaken = try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM node WHERE machine = ? AND name = ?)",
      arguments: [machine, node.description])
    if isTaken == true {
      throw JobError(.conflict, "Duplicate nodes with node-name='\(node)'")
    }
  }

  private static func missing(_ name: String) -> JobError {
    JobError(
      .notFound, "No machine '\(name)'. To add it: \(NextStep(["machine", "add", name]))")
  }
}
