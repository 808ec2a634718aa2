import FileNames
import Jobs
import QMP

/// The disks that a job will work on.
struct Disks: Sendable, Hashable {
  /// The machine's name; nil for a one-off one.
  let machine: String?
  /// Node names, in the order to give them.
  let devices: [String]
  /// The node that keeps device state; nil only for delete.
  let vmstate: String?

  /// Works them out from the options and what the endpoint tells of its machine.
  ///
  /// - Parameters:
  ///   - options: `--device` and `--file`.
  ///   - vmstate: `--vmstate`; with files, one of them may be named by its path.
  ///   - endpoint: what is asked.
  ///   - session: for relative paths and the machine's name.
  /// - Throws: not found if the machine covers no disk.
  init(
    _ options: DiskOptions, vmstate: String?, on endpoint: any QMPEndpoint, session: Session
  ) async throws {
    let machine = try await endpoint.execute("x-snapjob-machine-show", nil)
    let nodes = machine["nodes"]?.elements ?? []
    self.machine = options.files.isEmpty ? machine["name"]?.asText : nil
    let chosen =
      options.devices.isEmpty
      ? nodes.filter { !$0.isTrue("read-only") && !$0.isTrue("excluded") }
        .map { $0.text("node-name") }
      : options.devices
    guard !chosen.isEmpty else {
      let name = machine["name"]?.asText ?? session.settings.machine
      throw CommandFailure(
        .notFound,
        nodes.isEmpty
          ? "machine \(name) has no disks. Add one: \(NextStep("node", "add", "NODE", "FILE")), "
            + "or name images: --file PATH..."
          : "all disks of machine \(name) are read-only or excluded. Name one: --device NODE")
    }
    devices = chosen
    if let vmstate {
      let path = try session.host.absolute(vmstate)
      let named =
        options.files.isEmpty ? nil : nodes.first { $0.text("filename").hasSameBytes(as: path) }
      self.vmstate = named?.text("node-name") ?? vmstate
    } else {
      let own = machine["vmstate-node"]?.asText
      self.vmstate = own.flatMap { chosen.contains($0) ? $0 : nil } ?? chosen[0]
    }
  }

  /// The disks as somebody else has worked them out.
  init(machine: String?, devices: [String], vmstate: String?) {
    self.machine = machine
    self.devices = devices
    self.vmstate = vmstate
  }

  /// Those of the disks that have one of these names.
  func only(_ names: [String]) -> Disks {
    Disks(machine: machine, devices: devices.filter(names.contains), vmstate: vmstate)
  }

  /// `2 disks (disk0, disk1)`, with the machine if it is not the default one.
  var description: String {
    let list = "\(Quantity.count(devices.count, "disk")) (\(devices.joined(separator: ", ")))"
    guard let machine, machine != Settings.defaultMachine else { return list }
    return "\(list) of \(machine)"
  }
}
