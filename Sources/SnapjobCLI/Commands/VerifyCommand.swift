import ArgumentParser
import QMP

/// `snapjob verify`.
struct VerifyCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Read every byte of the disks and their snapshots, and compare with a second reader.",
    discussion: """
      The active state of each image and every snapshot are read to the end: compressed data must \
      inflate, no cluster may lie beyond the end of the file, on the image's own structures or on \
      another cluster of the same state, which ends the command. What states share is read once.

      With --digest each state that was read wholly is printed with its SHA-256, \
      which is that of a raw copy: qemu-img convert -O raw FILE RAW && sha256sum RAW, for a snapshot \
      with -l snapshot.name=TAG (which gives the copy the size that the disk has now). That takes as long \
      as the disk is large, however little is in its file.

      The device state of a snapshot, memory included, is read to the last byte of its last section: a \
      state that QEMU could not load is damage.

      Then the active state is read once more by libqcow, an independent implementation, and compared \
      cluster by cluster; of clusters without data as many as the file is long, and at least 64 MiB. What \
      libqcow misreads or cannot read is left out and counted. What comes from \
      a backing file, which is never opened, and what is encrypted is not read; it is counted and said.

      An argument with a slash is a file, otherwise a node, otherwise an existing file; without \
      arguments all nodes of the machine that are not excluded.

      Exit codes: 0 all can be read, and the readers are equal as far as the second can look, 1 could \
      not verify, 2 damage, or the readers differ, 4 no such file or tag, or nothing to look at, 6 in use, 9 refused.

      Examples:
        snapjob verify
        snapjob verify --tag before-upgrade --digest
        snapjob verify disk0 ./other.qcow2
        snapjob verify ./other.qcow2 --json
      """)

  @Argument(help: "Nodes or files.", completion: .file()) var targets: [String] = []
  @Option(help: "Only the snapshots of this name, without the active state.") var tag: String?
  @Flag(help: "Print the SHA-256 of each state.") var digest = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let output = session.output
    return try await session.withEndpoint(recovers: false) { endpoint in
      let reports = try await InspectionRun(title: "verify", session: session).execute(
        "x-snapjob-verify",
        .present([
          "targets": .list(try session.targets(targets)), "tag": tag.map(QMPValue.string),
          "digest": digest ? true : nil,
        ]), on: endpoint)
      if reports.elements.isEmpty { throw try await session.nothingToLookAt(on: endpoint) }
      output.json(reports)
      let outcomes = output.spelled(reports).elements.map(VerifyReport.init)
      for outcome in outcomes {
        outcome.lines.forEach(output.line)
        if let failure = outcome.failure { output.failure(failure) }
      }
      return VerifyReport.worst(outcomes)
    }
  }
}
