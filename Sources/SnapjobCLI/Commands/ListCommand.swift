import ArgumentParser
import Jobs
import QMP

/// `snapjob list`.
struct ListCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List snapshots, read from the images.",
    discussion: """
      Works also while a virtual machine holds the images. COMPLETE says whether each disk that a \
      job would cover has the tag, once. Excluded disks are left out. An image that cannot be read is named on \
      stderr; the others are listed, and the exit code is that of the first failure.

      With --sizes every table of the images is read. USED is what deleting this snapshot alone \
      would free: what is also in another snapshot or in the present state is not in it, so deleting \
      two neighbours can free more than the sum. REFERENCED is all that the snapshot leads to.

      Examples:
        snapjob list
        snapjob list --sizes
        snapjob list --all-machines --json
        snapjob list --file a.qcow2 b.qcow2
      """)

  @OptionGroup var disks: DiskOptions
  @Flag(name: [.customShort("A"), .long], help: "All machines.") var allMachines = false
  @Flag(help: "The room that each snapshot takes in the images.") var sizes = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if allMachines, !disks.files.isEmpty {
      throw ValidationError("--all-machines and --file exclude each other")
    }
  }

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    try disks.check(session.settings)
    let survey = try await session.withEndpoint(files: disks.files, recovers: false) {
      endpoint in
      let arguments = QMPValue.present([
        "devices": disks.devices.isEmpty ? nil : .list(disks.devices),
        "all-machines": allMachines ? true : nil, "sizes": sizes ? true : nil,
      ])
      do throws(QMPError) {
        return try await endpoint.execute("x-snapjob-survey", arguments)
      } catch {
        // A server of an earlier version lists all or nothing.
        guard error.errorClass == .commandNotFound else { throw error }
        return ["snapshots": try await endpoint.execute("x-snapjob-list", arguments)]
      }
    }
    let snapshots = survey["snapshots"] ?? []
    let failures = survey["failures"]?.elements ?? []
    session.output.json(snapshots)
    for (machine, node) in Self.markedNodes(snapshots.elements) {
      let target = disks.files.isEmpty ? [node] : []
      let step = NextStep(
        ["check"] + target + ["--repair", "leaks"], machine: allMachines ? machine : nil)
      session.output.note(
        "\(node): the image has the marker bit of an earlier snapjob: no qemu-img check -r before that is gone, "
          + "which would delete its snapshots. Take it away with: \(step)")
    }
    let table = Self.table(snapshots.elements, showsMachine: allMachines, showsSizes: sizes)
    if !table.isEmpty {
      session.output.table(table)
    } else if failures.isEmpty, !session.output.isJSON {
      session.output.note("no snapshots")
    }
    for failure in failures { report(session.output.spelled(failure), to: session.output) }
    return failures.first.map { ExitStatus(rawValue: Int32($0.integer("exit-code"))) } ?? .done
  }

  /// An image that could not be read; with its machine, where several are listed.
  private func report(_ failure: QMPValue, to output: Output) {
    let machine = allMachines ? failure.text("machine") + ": " : ""
    let (node, problem) = (failure.text("node"), failure.text("problem"))
    // The problem may begin with the node.
    let place = problem.hasPrefix(node + ":") ? "" : node + ": "
    output.failure(TargetFailure(message: Table.printable(machine + place + problem)))
  }

  /// The nodes whose images have the marker bit of an earlier version.
  private static func markedNodes(
    _ snapshots: [QMPValue]
  ) -> [(machine: String?, node: String)] {
    let pairs = snapshots.flatMap { snapshot in
      (snapshot["devices"]?.elements ?? []).filter { $0.isTrue("x-marker") }
        .map { [snapshot.text("machine"), $0.text("node")] }
    }
    return Set(pairs).sorted { $0.lexicographicallyPrecedes($1) }
      .map { (machine: $0[0].isEmpty ? nil : $0[0], node: $0[1]) }
  }

  /// The snapshots for people; the column NOTE is there if any has one.
  static func table(
    _ snapshots: [QMPValue], showsMachine: Bool, showsSizes: Bool = false
  ) -> Table {
    let showsNote = snapshots.contains { !$0.text("note").isEmpty }
    var table = Table(
      (showsMachine ? [.init("MACHINE")] : [])
        + [
          .init("TAG"), .init("DATE"), .init("VM STATE", right: true),
        ]
        + (showsSizes ? [.init("USED", right: true), .init("REFERENCED", right: true)] : [])
        + [.init("DISKS"), .init("COMPLETE")] + (showsNote ? [.init("NOTE")] : []))
    for snapshot in snapshots {
      let devices = snapshot["devices"]?.elements ?? []
      let state = devices.map { $0.integer("vm-state-size") }.max() ?? 0
      table.add(
        (showsMachine ? [snapshot.text("machine")] : [])
          + [
            snapshot.text("tag"), localTime(snapshot.text("date")),
            state > 0 ? Quantity.bytes(state) : "",
          ]
          + (showsSizes ? ["used", "referenced"].map { Quantity.bytes(snapshot.integer($0)) } : [])
          + [names(devices), completeness(snapshot)]
          + (showsNote ? [snapshot.text("note")] : []))
    }
    return table
  }

  /// Node names; one that has several snapshots of the tag is shown with their ids.
  private static func names(_ devices: [QMPValue]) -> String {
    var order: [String] = []
    var ids: [String: [String]] = [:]
    for device in devices {
      let name = device.text("node")
      if ids[name] == nil { order.append(name) }
      ids[name, default: []].append(device.text("id"))
    }
    return order.map { name in
      let own = ids[name] ?? []
      return own.count > 1 ? "\(name)(ids \(own.joined(separator: " ")))" : name
    }.joined(separator: ",")
  }

  /// How many disks that lack a snapshot are named.
  private static let shownMissing = 3

  private static func completeness(_ snapshot: QMPValue) -> String {
    if snapshot.isTrue("complete") { return "yes" }
    let missing = snapshot.texts("missing")
    if missing.isEmpty { return "no" }
    let shown = missing.prefix(shownMissing).joined(separator: ",")
    let more = missing.count > shownMissing ? " and \(missing.count - shownMissing) more" : ""
    return "no, lacks \(shown)\(more)"
  }

  /// A time of a reply as people read it; as it came if it is no RFC 3339 time.
  static func localTime(_ text: String) -> String {
    Moment(rfc3339: text)?.localText ?? text
  }
}
