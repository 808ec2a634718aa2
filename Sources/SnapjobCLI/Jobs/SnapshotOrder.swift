import Jobs
import QMP

/// What save, load or delete asks for, before the disks are known.
struct SnapshotOrder: Sendable, Hashable {
  /// The three verbs; the raw value is the command's.
  enum Verb: String, Sendable, Hashable {
    case save
    case load
    case delete

    /// The QMP command.
    var command: String { "snapshot-\(rawValue)" }
  }

  let verb: Verb
  /// The tag, and more of them for delete.
  let tags: [String]
  /// `--id`: the snapshot where no tag is given.
  var snapshotID: String?
  /// `--vmstate`.
  var vmstate: String?
  /// Members of the command that only this verb has; left out when nil.
  var members: [QMPValue.Member] = []
  /// The tag under which a load saves the present state.
  var saveCurrent: String?
  /// The bitmaps that a save clears: names, or node and name with a slash between them.
  var clearedBitmaps: [String] = []
  /// Whether doing nothing is a success: `--exist-ok`.
  var mayDoNothing = false

  /// The command's arguments.
  func arguments(jobID: String, disks: Disks, job: JobOptions) -> QMPValue {
    var result: [QMPValue.Member] = [
      .init("job-id", .string(jobID)), .init("tag", .string(tags.first ?? "")),
    ]
    if verb != .delete, let vmstate = disks.vmstate {
      result.append(.init("vmstate", .string(vmstate)))
    }
    result.append(.init("devices", .list(disks.devices)))
    if tags.count > 1 { result.append(.init("x-more-tags", .list(Array(tags.dropFirst())))) }
    if let snapshotID { result.append(.init("x-id", .string(snapshotID))) }
    result += members
    if !clearedBitmaps.isEmpty {
      result.append(.init("x-clear-bitmaps", .array(clears(on: disks.devices))))
    }
    if job.noAutoFinalize { result.append(.init("x-auto-finalize", false)) }
    if job.autoDismiss { result.append(.init("x-auto-dismiss", true)) }
    if let note = job.note { result.append(.init("x-note", .string(note))) }
    return .object(result)
  }

  /// The bitmaps that are cleared, each with its node.
  private func clears(on devices: [String]) -> [QMPValue] {
    clearedBitmaps.flatMap { bitmap -> [QMPValue] in
      let bitmap = BitmapArgument(bitmap)
      return (bitmap.node.map { [$0] } ?? devices).map {
        ["node": .string($0), "name": .string(bitmap.name)]
      }
    }
  }

  /// The sentence for a job that is done.
  func doneSentence(_ job: JobView, disks: Disks, elapsed: Duration) -> String {
    let changed = job.changedNodes.map(disks.only) ?? disks
    let end = "on \(changed.description) in \(Quantity.time(elapsed));"
    let written = "\(Quantity.bytes(job.bytesWritten)) written."
    if verb == .delete, job.changedNodes?.isEmpty == true {
      return "\(quotedTags): nothing to delete on \(disks.description)."
    }
    if mayDoNothing, job.bytesWritten == 0, job.bytesFreed == 0 {
      return "\(quotedTags) is complete on \(disks.description) already; nothing was written."
    }
    switch verb {
    case .save: return "Saved \(quotedTags) \(end) \(written)"
    case .load:
      let saved = saveCurrent.map { "Saved the present state as \"\($0)\" and loaded" } ?? "Loaded"
      return "\(saved) \(quotedTags) \(end) \(written)"
    case .delete:
      let tags = snapshotID == nil ? quoted(job.deletedTags ?? tags) : names
      return "Deleted \(tags) \(end) \(Quantity.bytes(job.bytesFreed)) freed."
    }
  }

  /// The sentence for a job that waits for `job finalize`.
  func pendingSentence(_ job: JobView, disks: Disks) -> String {
    "Prepared to \(verb.rawValue) \(quotedTags) on \(disks.description); the images stay locked. "
      + "Next: \(NextStep("job", "finalize", job.id)), or: \(NextStep("job", "cancel", job.id))"
  }

  /// The snapshots for people.
  var names: String {
    snapshotID.map { "the snapshot of id \(Table.printable($0))" }
      ?? tags.map(Table.printable).joined(separator: ", ")
  }

  private var quotedTags: String { snapshotID == nil ? quoted(tags) : names }

  private func quoted(_ tags: [String]) -> String {
    tags.map { "\"\(Table.printable($0))\"" }.joined(separator: ", ")
  }
}
