public import Jobs
public import QMP
public import SnapshotJobs

/// Finds out which disks a running machine has.
public struct MachineDiscovery: Sendable {
  private let connector: LiveConnector

  /// Makes a discovery.
  public init(_ connector: LiveConnector) { self.connector = connector }

  /// The writable disks of the machine behind an address, by the names that they can have as nodes: the
  /// user's own where they are names of nodes and differ, else `disk0`, `disk1`, ….
  ///
  /// - Parameter address: its monitor's, `unix:PATH`.
  /// - Returns: the nodes; those that cannot take part in snapshots are marked as excluded.
  /// - Throws: `JobError` of kind `connection` if the machine does not run or cannot be asked.
  public func disks(at address: String) async throws(JobError) -> [Node] {
    do {
      guard let connection = try await connector.connect(address) else {
        throw JobError(
          .connection,
          "\(address): nobody listens there. Start the machine, or name its disks: --disk FILE")
      }
      let scan: DiskScan
      do {
        scan = try await DiskScan(connection.endpoint)
        await connection.close()
      } catch {
        await connection.close()
        throw error
      }
      return try Self.nodes(scan.disks)
    } catch {
      throw JobError(monitor: error)
    }
  }

  /// The names that the running machine's QEMU has for a machine's disks, in this boot.
  ///
  /// - Parameters:
  ///   - machine: whose disks.
  ///   - address: its monitor's.
  /// - Returns: QEMU's names by the nodes' own; without disks that QEMU does not have. Nil if the machine does not
  ///   run.
  /// - Throws: `QMPError` if it cannot be asked.
  public func blockNodes(
    of machine: Machine, at address: String
  ) async throws(QMPError) -> [String: String]? {
    guard let connection = try await connector.connect(address) else { return nil }
    let scan: Result<DiskScan, QMPError>
    do throws(QMPError) {
      scan = .success(try await DiskScan(connection.endpoint))
    } catch {
      scan = .failure(error)
    }
    await connection.close()
    let disks = try scan.get().disks
    var names: [String: String] = [:]
    for node in machine.nodes {
      if let disk = disks.first(where: { $0.isFile(node.path) }) {
        names[node.name.description] = disk.node
      }
    }
    return names
  }

  private static func nodes(_ disks: [LiveDisk]) throws(JobError) -> [Node] {
    var names = Set<NodeName>()
    var nodes: [Node] = []
    var number = 0
    for disk in disks {
      guard let path = disk.path else {
        // It has no file that could be looked at; a job names it.
        if disk.canTakeSnapshots {
          throw JobError(
            .refused,
            "\(disk.description): QEMU does not tell the absolute path of its file. Start the machine "
              + "with absolute paths")
        }
        continue
      }
      var name = disk.label.flatMap { try? NodeName($0) }
      while name.map(names.contains) ?? true {
        name = try NodeName("disk\(number)")
        number += 1
      }
      guard let name else { continue }
      names.insert(name)
      nodes.append(Node(name: name, path: path, isExcluded: !disk.canTakeSnapshots))
    }
    return nodes
  }
}
