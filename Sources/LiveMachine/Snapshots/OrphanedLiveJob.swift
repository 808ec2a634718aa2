import FoundationEssentials
public import Jobs
import QMP
public import SnapshotJobs

/// A job whose process has ended while a running machine was at it: QEMU goes on by itself.
public struct OrphanedLiveJob: Sendable {
  private let request: SnapshotRequest
  private let machine: Machine
  private let address: String
  private let record: JobRecord

  /// Takes a job over; nil if it is none that a running machine does.
  ///
  /// - Parameters:
  ///   - record: the job as the catalog has it.
  ///   - machine: its machine.
  public init?(_ record: JobRecord, machine: Machine) {
    guard let address = machine.monitor, record.started != nil,
      SnapshotRequest.Operation(rawValue: record.type) != nil,
      let request = try? JSONDecoder().decode(
        SnapshotRequest.self, from: Data(record.arguments.utf8))
    else { return nil }
    self.request = request
    self.machine = machine
    self.address = address
    self.record = record
  }

  /// Finds out what became of it. Blocks.
  ///
  /// A machine that runs is asked for the job by its name. What one has left that died is mended.
  ///
  /// - Parameters:
  ///   - connector: the way to the machine.
  ///   - access: the way to its files.
  /// - Returns: the outcome; nil if QEMU knows nothing of it and nothing is left to mend.
  public func settle(
    through connector: LiveConnector, access: ImageAccess
  ) -> Recovery.OrphanOutcome? {
    let address = address
    do throws(JobError) {
      guard let connection = try waiting(for: { try await connector.connect(address) }) else {
        return .failed(
          LiveSnapshotWork.heal(
            request, machine, since: record.created, access: access,
            text: "The process that ran the job ended, and the machine is not running"))
      }
      guard let id = request.liveJobID else {
        return .failed(
          JobError(
            .general,
            "The process that ran the job ended; whether the running machine has done it, shows: "
              + "\(NextStep(["list"], machine: machine.name))"))
      }
      let result = Self.result(request)
      let (request, machine) = (request, machine)
      let answer = try waiting {
        do {
          let outcome = try await Self.ask(
            connection.endpoint, id, request, machine, result: result)
          await connection.close()
          return outcome
        } catch {
          await connection.close()
          throw error
        }
      }
      return answer ?? outcomeOnDisks(result)
    } catch {
      return .inDoubt(error)
    }
  }

  /// What the disks say of a job that QEMU does not know any more: it was dismissed there, and its process
  /// ended before it could say so here.
  private func outcomeOnDisks(_ result: String?) -> Recovery.OrphanOutcome? {
    guard request.operation != .load,
      let listings = try? machine.snapshots(on: request.devices)
    else { return nil }
    let found = listings.first { $0.tagBytes == Array(request.tag.utf8) }
    if request.operation == .delete { return found == nil ? .done(result: result) : nil }
    guard let found, found.isComplete,
      found.devices.allSatisfy({ $0.isTaken(since: record.created) })
    else { return nil }
    return .done(result: result)
  }

  /// What is known of what was done.
  private static func result(_ request: SnapshotRequest) -> String? {
    let result = SnapshotResult(
      bytesWritten: 0, bytesFreed: 0, changedNodes: request.devices,
      remarks: ["The process that ran the job ended; the running machine brought it to its end"])
    return (try? JSONEncoder().encode(result)).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func ask(
    _ monitor: any QMPEndpoint, _ id: String, _ request: SnapshotRequest, _ machine: Machine,
    result: String?
  ) async throws -> Recovery.OrphanOutcome? {
    let job = QEMUJob(id, on: monitor)
    guard let state = try await job.state() else { return nil }
    guard state.text("status") == "concluded" else {
      return .inDoubt(
        JobError(.inUse, "The running machine is still at it (its job '\(id)')"))
    }
    guard let text = try await job.dismissed(state) else { return .done(result: result) }
    let error = JobError(.general, text)
    guard request.operation == .load else { return .failed(error) }
    let disks = try await DiskScan(monitor).disks
    let first = try request.nodes(of: machine).first.flatMap { node in
      disks.first { $0.isFile(node.path) }
    }
    return .failed(
      try await RefusedLoad(request: request, error: error, firstNode: first?.node)
        .settle(on: monitor))
  }
}
