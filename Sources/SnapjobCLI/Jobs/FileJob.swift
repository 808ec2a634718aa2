import QMP
import Snapjob

/// One job of a file, ready to be started.
struct FileJob: Sendable {
  let id: String
  let order: SnapshotOrder
  let machine: String
  let disks: Disks
  /// Where it stands: `nightly.yaml:7`.
  let place: String
  private let given: [QMPValue.Member]

  /// A job that a command of the file starts.
  init?(_ job: JobFilePlan.Job, in plan: JobFilePlan, host: Host) {
    guard case .command(let command, let given) = job.action,
      let verb = SnapshotOrder.Verb(rawValue: String(command.dropFirst("snapshot-".count)))
    else { return nil }
    let arguments = QMPValue.object(given)
    var order = SnapshotOrder(
      verb: verb, tags: [arguments.text("tag")] + arguments.texts("x-more-tags"))
    order.saveCurrent = arguments["x-save-current"]?.asText
    order.mayDoNothing = arguments.isTrue("x-exist-ok")
    let id = arguments["job-id"]?.asText
    self.init(job, in: plan, order, id: id, given: given, host: host)
  }

  /// The delete that a prune comes to.
  init(_ job: JobFilePlan.Job, in plan: JobFilePlan, deleting tags: [String], host: Host) {
    let given: [QMPValue.Member] = [
      .init("tag", .string(tags.first ?? "")), .init("x-more-tags", .list(Array(tags.dropFirst()))),
      .init("x-must-exist", true),
    ]
    self.init(
      job, in: plan, SnapshotOrder(verb: .delete, tags: tags), id: nil, given: given, host: host)
  }

  private init(
    _ job: JobFilePlan.Job, in plan: JobFilePlan, _ order: SnapshotOrder, id: String?,
    given: [QMPValue.Member], host: Host
  ) {
    self.id = id ?? JobName.make(verb: order.verb.rawValue, host: host)
    self.order = order
    self.given = given.filter { !["job-id", "devices", "vmstate"].contains($0.name) }
    machine = job.machine
    disks = Disks(machine: job.machine, devices: job.devices, vmstate: job.vmstate)
    place = "\(plan.file.path):\(job.line)"
  }

  /// The command's arguments, all of them.
  var arguments: QMPValue {
    var members: [QMPValue.Member] = [
      .init("job-id", .string(id)), .init("devices", .list(disks.devices)),
    ]
    if order.verb != .delete, let vmstate = disks.vmstate {
      members.append(.init("vmstate", .string(vmstate)))
    }
    return .object(members + given)
  }
}
