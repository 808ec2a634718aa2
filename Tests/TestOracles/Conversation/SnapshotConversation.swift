/// The conversations of the tests. The server has two disks, `disk0` and `disk1`, without snapshots,
/// and is called `default`; the guest does not run. `DIR/spare.qcow2` is an image that it does not have.
public enum SnapshotConversation {
  /// Everything, in this order.
  public static let steps: [ConversationStep] =
    queries + refusedArguments + MigrationConversation.steps + saves + loads + deletes
    + deviceSnapshots + transactions + BitmapConversation.steps
    + blockNodes + people + ownWays

  private static func step(_ command: String, _ arguments: String? = nil) -> ConversationStep {
    ConversationStep(command, arguments)
  }

  private static let both = #""disk0", "disk1""#

  /// A snapshot command on devices, with a job id.
  private static func job(
    _ command: String, _ id: String, _ tag: String, vmstate: String? = "disk0",
    devices: String = both
  ) -> ConversationStep {
    let vmstate = command == "delete" ? "" : vmstate.map { #", "vmstate": "\#($0)""# } ?? ""
    return step(
      "snapshot-\(command)",
      #"{"job-id": "\#(id)", "tag": "\#(tag)"\#(vmstate), "devices": [\#(devices)]}"#)
  }

  /// A job from its command to its dismissal.
  private static func whole(
    _ start: ConversationStep, _ id: String, differing difference: IntendedDifference? = nil
  ) -> [ConversationStep] {
    let query = step("query-jobs")
    return [
      start.awaiting(id), difference.map { query.differing($0) } ?? query,
      step("job-dismiss", #"{"id": "\#(id)"}"#),
    ]
  }

  // MARK: Parts

  private static let queries: [ConversationStep] = [
    step("query-name"), step("query-uuid"), step("query-jobs"), step("query-block"),
    step("query-named-block-nodes"), step("query-blockstats"),
    step("query-blockstats", #"{"query-nodes": true}"#), step("stop"),
    step("query-status").differing(.guestDoesNotRun), step("query-version").differing(.version),
    step("query-yank").differing(.nothingToYank), step("yank", #"{"instances": []}"#),
    step("yank", #"{"instances": [{"type": "migration"}]}"#),
    step("yank", #"{"instances": [{"type": "block-node"}]}"#),
    step("yank", #"{"instances": [{"type": "x"}]}"#),
  ]

  private static let refusedArguments: [ConversationStep] = [
    step("nope"), step("query-events"), step("query-jobs", "[]"), step("query-jobs", "null"),
    step("query-jobs", #"{"zz": 1}"#), step("job-dismiss"), step("job-dismiss", #"{"id": 1}"#),
    step("job-dismiss", #"{"id": "a", "zz": 1}"#), step("job-cancel", #"{"id": "none"}"#),
    step("job-pause", #"{"id": ""}"#), step("job-resume", #"{"id": "none"}"#),
    step("job-complete", #"{"id": "none"}"#), step("job-finalize", #"{"id": "none"}"#),
    step("snapshot-save", #"{"job-id": "j", "tag": "t"}"#),
    step("snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "disk0", "devices": [7]}"#),
    step("snapshot-delete", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#),
    job("save", "1", "t"), job("save", "", "t"), job("save", "a b", "t"), step("query-jobs"),
  ]

  private static let saves: [ConversationStep] =
    [
      job("save", "s1", "one").awaiting("s1"), step("query-jobs"), job("save", "s1", "two"),
      step("job-cancel", #"{"id": "s1"}"#), step("job-pause", #"{"id": "s1"}"#),
      step("job-resume", #"{"id": "s1"}"#), step("job-complete", #"{"id": "s1"}"#),
      step("job-finalize", #"{"id": "s1"}"#), step("job-dismiss", #"{"id": "s1"}"#),
      step("job-dismiss", #"{"id": "s1"}"#),
    ] + whole(job("save", "s1", "one"), "s1")
    + whole(job("save", "s2", "two", vmstate: "none"), "s2")
    + whole(job("save", "s3", "two", vmstate: "disk1", devices: #""disk0""#), "s3")
    + whole(job("save", "s4", "two", devices: ""), "s4")
    + whole(job("save", "s5", "two", devices: #""disk0", "none""#), "s5")
    + whole(job("save", "s6", "two"), "s6")
    + [step("query-named-block-nodes"), step("query-block")]

  private static let loads: [ConversationStep] =
    whole(job("load", "l1", "one"), "l1") + whole(job("load", "l2", "none"), "l2")
    + whole(job("load", "l3", "one", devices: #""none""#), "l3")
    + whole(job("load", "l4", "one", vmstate: "none"), "l4")

  private static let deletes: [ConversationStep] =
    whole(job("delete", "d1", "two"), "d1") + whole(job("delete", "d2", "none"), "d2")
    + whole(job("delete", "d3", "one", devices: #""none""#), "d3")
    + whole(job("delete", "d4", "one", devices: ""), "d4")
    + whole(job("delete", "d5", "one"), "d5")

  private static func take(_ device: String, _ name: String) -> String {
    #"{"device": "\#(device)", "name": "\#(name)"}"#
  }

  private static func takeAction(_ device: String, _ name: String) -> String {
    #"{"type": "blockdev-snapshot-internal-sync", "data": \#(take(device, name))}"#
  }

  private static let deviceSnapshots: [ConversationStep] =
    [
      take("disk0", ""), take("none", "a"), take("", "a"), #"{"device": "disk0"}"#,
      #"{"name": "a"}"#, take("disk0", "s1"), take("disk0", "s1"), take("disk1", "s1"),
      take("disk0", "2"), take("disk0", "1"),
    ].map { step("blockdev-snapshot-internal-sync", $0) }
    + [
      #"{"device": "disk0"}"#, #"{"device": "none"}"#, #"{"device": "none", "name": "a"}"#,
      #"{"device": "disk0", "name": "none"}"#, #"{"device": "disk0", "id": "17"}"#,
      #"{"device": "disk0", "id": "1", "name": "none"}"#, #"{"device": "disk0", "name": ""}"#,
      #"{"device": "disk0", "id": ""}"#, #"{"device": "disk0", "name": "2"}"#,
      #"{"device": "disk0", "id": "1"}"#, #"{"device": "disk0", "id": "3", "name": "1"}"#,
      #"{"device": "disk1", "name": "s1"}"#, #"{"device": "disk1", "name": "s1"}"#,
    ].map { step("blockdev-snapshot-delete-internal-sync", $0) }
    + [step("query-block")]

  private static func transaction(_ actions: String..., mode: String? = nil) -> ConversationStep {
    let properties = mode.map { #", "properties": {"completion-mode": \#($0)}"# } ?? ""
    return step("transaction", "{\"actions\": [\(actions.joined(separator: ", "))]\(properties)}")
  }

  private static let abort = #"{"type": "abort", "data": {}}"#

  private static let transactions: [ConversationStep] = [
    transaction(), step("transaction"), step("transaction", #"{"actions": {}}"#),
    transaction("5"), transaction(#"{"type": "none", "data": {}}"#), transaction(#"{"data": {}}"#),
    transaction(#"{"type": "abort"}"#), transaction(#"{"type": "abort", "data": {"x": 1}}"#),
    transaction(#"{"type": "blockdev-snapshot-internal-sync", "data": {"device": "disk0"}}"#),
    transaction(#"{"type": "blockdev-snapshot-internal-sync", "data": []}"#),
    transaction(#"{"type": "abort", "data": {}, "z": 1}"#), transaction(mode: #""x""#),
    transaction(mode: "5"), transaction(mode: #""grouped""#),
    step("transaction", #"{"actions": [], "properties": {"x": 1}}"#),
    step("transaction", #"{"actions": [], "properties": 5}"#), transaction(abort),
    transaction(abort, mode: #""grouped""#),
    transaction(takeAction("disk0", "t1"), takeAction("disk1", "t1")),
    transaction(takeAction("disk0", "t2"), takeAction("disk1", "t1")),
    transaction(takeAction("disk0", "t3"), takeAction("disk1", "t3"), abort),
    transaction(takeAction("disk0", "t4"), takeAction("disk0", "t4")),
    transaction(takeAction("disk0", "t5"), takeAction("disk0", "t6")),
    transaction(takeAction("disk0", "t1"), takeAction("none", "t1")),
    transaction(takeAction("none", "t7"), abort), transaction(takeAction("disk0", "")),
    transaction(takeAction("disk0", "g"), mode: #""grouped""#),
    transaction(takeAction("disk0", "g"), mode: #""individual""#), step("query-block"),
  ]

  private static let blockNodes: [ConversationStep] = [
    step("blockdev-add", #"{"driver": "qcow3", "node-name": "d", "file": "f"}"#),
    step("blockdev-add", #"{"driver": "qcow2", "node-name": "d"}"#),
    step("blockdev-add", #"{"driver": "qcow2", "node-name": "d", "file": "none"}"#),
    step(
      "blockdev-add",
      #"{"driver": "qcow2", "file": {"driver": "file", "filename": "DIR/spare.qcow2"}}"#),
    add("spare", "none.qcow2"), add("disk0", "spare.qcow2").differing(.nextStep),
    add("spare", "spare.qcow2"), step("query-named-block-nodes"),
    step("blockdev-del", #"{"node-name": "spare"}"#), step("query-named-block-nodes"),
    step("blockdev-del", #"{"node-name": "none"}"#).differing(.nextStep), step("blockdev-del"),
  ]

  private static func add(_ node: String, _ file: String) -> ConversationStep {
    step(
      "blockdev-add",
      """
      {"driver": "qcow2", "node-name": "\(node)", "read-only": true, "discard": "unmap",
       "cache": {"direct": false}, "file": {"driver": "file", "filename": "DIR/\(file)"}}
      """)
  }

  private static func people(_ line: String) -> ConversationStep {
    step("human-monitor-command", "{\"command-line\": \(JSONValue.quoted(line))}")
  }

  private static let people: [ConversationStep] =
    [
      "", "  ", "nope", "nope a b", "info nope", "info  nope x", "sa", "info st", "savevm a b",
      "loadvm", "delvm", "savevm \"abc", "info status x", "info block -x", "info block a b",
      "stop x", "info block", "info block -v", "info block disk0",
      "info block disk1", "info block none", "info block -n -v disk1", "info name", "info uuid",
      "info block-jobs", "info snapshots", "delvm t1", "delvm none", "loadvm none", "savevm h1",
      "savevm h1", "savevm \"h 2\"", "savevm -x", "info snapshots", "loadvm h1", "delvm \"h 2\"",
      "delvm -x", "info snapshots", "stop", "help savevm", "help ?",
    ].map { people($0) } + [
      people("info jobs").differing(.infoJobs), people("info version").differing(.version),
      people("info status").differing(.guestDoesNotRun),
      people("info block -n").differing(.protocolNodes),
      step("human-monitor-command"), step("human-monitor-command", #"{"command-line": 5}"#),
      step("human-monitor-command", #"{"command-line": "info name", "cpu-index": 9}"#),
    ]

  /// Where snapjob goes its own way: the disks are not the same any more afterwards. Job ids begin
  /// with ``ownJobPrefix``.
  private static let ownWays: [ConversationStep] = {
    let long = String(repeating: "y", count: 300)
    let takeBoth = transaction(takeAction("disk0", "both"), takeAction("disk1", "both"))
    let jobAction =
      #"{"type": "snapshot-delete", "data": {"job-id": "1", "tag": "t", "devices": ["disk0"]}}"#
    return [
      transaction(jobAction).differing(.jobActions),
      takeBoth, people("loadvm both").differing(.diskOnlyLoad),
      people("savevm \(long)").differing(.longTag),
      step("blockdev-snapshot-internal-sync", take("disk0", long)).differing(.longTag),
    ] + whole(job("save", "own1", "g"), "own1", differing: .partialTag)
      + whole(
        job("save", "own2", "twice", devices: #""disk0", "disk0""#), "own2",
        differing: .repeatedDevice)
      + whole(job("save", "own3", ""), "own3", differing: .emptyTag)
      + [people("cont").differing(.guestDoesNotRun)]
  }()

  /// How the ids of jobs begin that end in another way than QEMU's.
  public static let ownJobPrefix = "own"

  /// The last status change of a job in the conversation.
  public static let lastStatusChange = "own3 null"
}
