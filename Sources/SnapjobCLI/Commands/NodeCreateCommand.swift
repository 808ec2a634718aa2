import ArgumentParser
import Jobs
import QMP
import Snapjob

/// `snapjob node create`.
struct NodeCreateCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Create a qcow2 image and add it to the machine.",
    discussion: """
      Sizes take the suffixes k, M, G, T: powers of 1024. An existing file is never overwritten.

      Example:
        snapjob node create disk0 disk0.qcow2 --size 10G
      """)

  @Argument(help: "The node's name.") var name: String
  @Argument(help: "The image to create.", completion: .file()) var file: String
  @Option(help: "The disk's size.") var size: ByteSize
  @Option(help: "The cluster size. Default: 64k.") var clusterSize: ByteSize?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let path = try session.host.absolute(file)
    if session.host.exists(path) {
      throw CommandFailure(
        .conflict,
        "\(path) exists already. To use it as it is: \(NextStep("node", "add", name, path))")
    }
    return try await session.withEndpoint { endpoint in
      try await create(path, on: endpoint, session: session)
      do {
        _ = try await endpoint.execute(
          "blockdev-add",
          try NodeAddCommand.arguments(
            name: name, file: path, isReadOnly: false, host: session.host))
      } catch let error as QMPError {
        throw CommandFailure(
          ExitStatus(kind: error.kind),
          "\(path) was created, but is not a node: \(error.desc). "
            + "To add it: \(NextStep("node", "add", "NODE", path))")
      }
      session.output.acknowledge()
      return .done
    }
  }

  private func create(
    _ path: String, on endpoint: any QMPEndpoint, session: Session
  ) async throws {
    let id = JobName.make(verb: "create", host: session.host)
    let options: QMPValue = .present([
      "driver": "qcow2", "file": ["driver": "file", "filename": .string(path)],
      "size": .int(size.byteCount), "cluster-size": clusterSize.map { .int($0.byteCount) },
    ])
    let quiet = session.silenced()
    let outcome = try await JobFollower(id, on: endpoint, session: quiet).follow(
      until: .conclusion
    ) {
      _ = try await endpoint.execute(
        "blockdev-create",
        ["job-id": .string(id), "options": options, "x-node-name": .string(name)])
    }
    _ = try? await endpoint.execute("job-dismiss", ["id": .string(id)])
    if let failure = outcome.job.failure {
      guard let signal = outcome.signal, failure.status == .cancelled else { throw failure }
      throw CommandFailure(.interrupted(by: signal), "interrupted: \(path) was not created")
    }
  }
}
