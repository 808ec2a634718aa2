import ArgumentParser
import Jobs
import QMP

/// `snapjob devices inspect`.
struct DevicesInspectCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "List the devices of a saved state, and what their fields hold.",
    discussion: """
      FILE is a stream as QEMU writes it when it migrates to a file, or for xen-save-devices-state; \
      with --tag the state is read from the snapshot, also while a virtual machine holds the image. \
      It is read to its last byte: what is damaged is refused with the place.

      SIZE is in bytes and adds up to the length of the stream. Devices that are in several sections \
      (ram, dirty-bitmap) come first.

      --fields decodes the state of one device; NAME is a device's name, or with # and a number one \
      of several instances. Snapshots and migrations tell what the fields are, files of devices \
      alone do not.

      Examples:
        snapjob devices inspect vm.state
        snapjob devices inspect --tag before-upgrade
        snapjob devices inspect --tag before-upgrade --device cpu --fields cpu
        snapjob devices inspect vm.state --fields 'i8259#1' --json
      """)

  @Argument(help: "A file with a stream.", completion: .file()) var file: String?
  @Option(help: "The state of the snapshot of this name, instead of a file.") var tag: String?
  @Option(help: ArgumentHelp("List only the devices of this name.", valueName: "name"))
  var device: String?
  @Option(help: ArgumentHelp("Decode the fields of this device.", valueName: "name"))
  var fields: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if (file == nil) == (tag == nil) {
      throw ValidationError("Name either a file or, with --tag, a snapshot")
    }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    let path = try file.map(session.host.absolute)
    let state = try await session.withEndpoint { endpoint in
      try await endpoint.execute(
        "x-snapjob-device-state-inspect",
        .present([
          "filename": path.map(QMPValue.string), "tag": tag.map(QMPValue.string),
          "fields": fields.map(QMPValue.string),
        ]))
    }
    let report = DeviceStateReport(state)
    let parts = try report.parts(
      ofDevice: device, in: path ?? "snapshot '\(tag ?? "")'",
      path.map { [$0] } ?? NextStep.option("--tag", tag ?? ""))
    session.output.json(report.json(parts))
    if device == nil, fields == nil { report.lines.forEach(session.output.line) }
    if device != nil || fields == nil { session.output.table(report.table(parts)) }
    if fields != nil { session.output.table(report.fieldTable) }
    return .done
  }
}
