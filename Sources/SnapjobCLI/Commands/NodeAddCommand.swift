import ArgumentParser
import QMP

/// `snapjob node add`.
struct NodeAddCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a qcow2 image to the machine under a name.",
    discussion: """
      Examples:
        snapjob node add disk0 /var/lib/images/web.qcow2
        snapjob -m web01 node add data /dev/vg0/web01-data
      """)

  @Argument(help: "The node's name.") var name: String
  @Argument(help: "The image: a file or a block device.", completion: .file()) var file: String
  @Flag(help: "Never change this image.") var readOnly = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.withEndpoint { endpoint in
      _ = try await endpoint.execute(
        "blockdev-add",
        try Self.arguments(name: name, file: file, isReadOnly: readOnly, host: session.host))
    }
    session.output.acknowledge()
    return .done
  }

  /// The arguments of `blockdev-add` for one image.
  ///
  /// - Throws: as ``Host/absolute(_:)``.
  static func arguments(
    name: String, file: String, isReadOnly: Bool, host: Host
  ) throws(QMPError) -> QMPValue {
    let path = try host.absolute(file)
    return .present([
      "driver": "qcow2", "node-name": .string(name), "read-only": isReadOnly ? true : nil,
      "file": [
        "driver": host.isBlockDevice(path) ? "host_device" : "file", "filename": .string(path),
      ],
    ])
  }
}
