import ArgumentParser
import FileNames
import Jobs
import QMP

/// `snapjob check`.
struct CheckCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check images as qemu-img check does, and repair them.",
    discussion: """
      An argument with a slash is a file, otherwise a node, otherwise an existing file. Without \
      arguments all nodes of the machine that are not excluded are checked; if there are none, the exit code is 4.

      A repair works out everything new beside the old and switches the image by one write, as every \
      change does. leaks gives back clusters that are counted as used and are not, if nothing else is \
      wrong; all also corrects refcounts, COPIED flags and snapshot entries, and clears the mark \
      "corrupt". Where an entry leads nowhere, nothing is repaired: what it has led to may be in any \
      cluster that seems to be free.

      Exit codes are those of qemu-img check, after a repair too, the worst of several: 0 clean, \
      1 could not check, 2 corrupt, 3 leaks, 63 not supported.

      Examples:
        snapjob check
        snapjob check disk0 ./other.qcow2
        snapjob check --repair leaks
        snapjob check --repair all ./disk.qcow2
      """)

  @Argument(help: "Nodes or files.", completion: .file()) var targets: [String] = []
  @Option(help: "What to repair: leaks or all.") var repair: Repair?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let output = session.output
    let request = QMPValue.present([
      "targets": .list(try session.targets(targets)),
      "repair": repair.map { .string($0.rawValue) },
    ])
    return try await session.withEndpoint(recovers: repair != nil) { endpoint in
      let checks: QMPValue
      do {
        checks = try await InspectionRun(title: "check", session: session)
          .execute("x-snapjob-check", request, on: endpoint)
      } catch let error as QMPError {
        // qemu-img's code for everything that keeps it from checking.
        throw CommandFailure(.failed, error.desc, class: error.errorClass)
      }
      if checks.elements.isEmpty { throw try await session.nothingToLookAt(on: endpoint) }
      if repair != nil { output.noteChange() }
      output.json(checks)
      for (index, check) in output.spelled(checks).elements.enumerated() {
        report(check, isFirst: index == 0, isOnly: checks.elements.count == 1, to: output)
      }
      return CheckReport.worst(checks.elements.map { CheckReport($0["result"] ?? [:]).status })
    }
  }

  private func report(_ check: QMPValue, isFirst: Bool, isOnly: Bool, to output: Output) {
    let name = Table.printable(check.text("target"))
    let report = CheckReport(check["result"] ?? [:])
    if !isOnly, report.isChecked { output.line("\(isFirst ? "" : "\n")\(name):") }
    guard report.isChecked else {
      // A server may say less than it should.
      let messages = report.messages.isEmpty ? ["it was not checked"] : report.messages
      for message in messages {
        output.failure(
          TargetFailure(
            target: check.text("target"), filename: check.text("filename"), problem: message))
      }
      return
    }
    for message in report.messages {
      output.console.err.write(Table.printable(message) + "\n")
    }
    guard !output.isQuiet else { return }
    if let repaired = report.repairText { output.line(repaired) }
    output.line(report.text)
  }

  /// What a repair mends.
  enum Repair: String, ExpressibleByArgument, CaseIterable {
    case leaks
    case all
  }
}

extension Session {
  /// Why a command that looks into all disks of a machine has not succeeded where there are none.
  func nothingToLookAt(on endpoint: any QMPEndpoint) async throws -> CommandFailure {
    let machine = try await endpoint.execute("x-snapjob-machine-show", nil)
    let name = machine["name"]?.asText ?? settings.machine
    let hasNodes = machine["nodes"]?.elements.isEmpty == false
    return CommandFailure(
      .notFound,
      hasNodes
        ? "all disks of machine \(name) are excluded. Name what to look at as an argument"
        : "machine \(name) has no disks to look at. Add one: \(NextStep("node", "add", "NODE", "FILE")), or name "
          + "images as arguments",
      machine: name)
  }

  /// Nodes and files as an endpoint takes them: what has a slash is a path, and made absolute.
  ///
  /// Where that cannot be done the engine in this process says so of each; a server would take the path from its
  /// own directory.
  ///
  /// - Throws: as ``Host/absolute(_:)`` over a connection.
  func targets(_ arguments: [String]) throws -> [String] {
    try arguments.map { argument in
      guard argument.hasSlash else { return argument }
      do {
        return try host.absolute(argument)
      } catch {
        guard settings.connection == nil else { throw error }
        return argument
      }
    }
  }
}
