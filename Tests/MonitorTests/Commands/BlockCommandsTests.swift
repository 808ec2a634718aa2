import Jobs
import Monitor
import QMP
import Qcow2
import SnapshotJobs
import Testing

@Suite struct BlockCommandsTests {
  private func add(_ name: String, _ path: String, more: String = "") -> String {
    """
    {"driver": "qcow2", "node-name": "\(name)",
     "file": {"driver": "file", "filename": "\(path)"}\(more)}
    """
  }

  @Test func addsANodeToTheStoredMachine() async throws {
    let house = House()
    house.images.add("/img/a.qcow2", "/img/b.qcow2")
    #expect(try await house.execute("blockdev-add", add("disk0", "/img//./a.qcow2")) == [:])
    try await house.execute(
      "blockdev-add", add("disk1", "/img/b.qcow2", more: #", "read-only": true"#))
    #expect(
      try house.machines.machine(named: "default").nodes == [
        Node(name: NodeName("disk0"), path: "/img/a.qcow2"),
        Node(name: NodeName("disk1"), path: "/img/b.qcow2", isReadOnly: true),
      ])
  }

  @Test(
    "Refuses a node that is no new image",
    arguments: [
      (
        "disk0", "/b",
        "Duplicate nodes with node-name='disk0'. Choose another name, or: `snapjob -m default node remove disk0`",
        "conflict"
      ),
      ("disk1", "/a", "/a is node 'disk0' of this machine already", "conflict"),
      ("disk1", "/none", "Could not open '/none': No such file or directory", "notFound"),
      (
        "0x", "/b", "Invalid node-name: '0x' (a letter, then letters, digits, '-', '.' and '_')",
        "refused"
      ),
    ])
  func refuses(name: String, path: String, desc: String, kind: String) async throws {
    let house = House()
    try house.addNode("disk0", path: "/a")
    house.images.add("/b")
    #expect(
      await house.refusal("blockdev-add", add(name, path))
        == QMPError(.genericError, desc, kind: kind))
    #expect(try house.machines.machine(named: "default").nodes.count == 1)
  }

  @Test func acceptsWhatOnlyConcernsAGuestAndKeepsItOutOfTheNode() async throws {
    let house = House()
    house.images.add("/a")
    try await house.execute(
      "blockdev-add",
      """
      {"driver": "qcow2", "node-name": "d", "discard": "unmap", "detect-zeroes": "on",
       "auto-read-only": true, "cache": {"direct": true, "no-flush": false}, "backing": null,
       "lazy-refcounts": true, "overlap-check": "all", "l2-cache-size": 1048576,
       "file": {"driver": "file", "filename": "/a", "aio": "native", "locking": "on"}}
      """)
    #expect(
      try house.machines.machine(named: "default").nodes
        == [Node(name: NodeName("d"), path: "/a")])
  }

  @Test(
    "Refuses to hold files more loosely than it does",
    arguments: [
      (#""force-share": true, "#, "", "Parameter 'force-share' is unexpected"),
      ("", #", "locking": "off""#, "Parameter 'locking' does not accept value 'off'"),
    ])
  func refusesSharing(option: String, fileOption: String, desc: String) async {
    let error = await House().refusal(
      "blockdev-add",
      """
      {"driver": "qcow2", "node-name": "d", \(option)
       "file": {"driver": "file", "filename": "/a"\(fileOption)}}
      """)
    #expect(error?.desc == desc)
  }

  @Test func aReferenceToAnotherNodeFindsNone() async {
    let error = await House().refusal(
      "blockdev-add", #"{"driver": "qcow2", "node-name": "d", "file": "proto"}"#)
    #expect(error?.desc == "Cannot find device='proto' nor node-name='proto'")
  }

  @Test func removesANode() async throws {
    let house = House()
    try house.addNode("disk0")
    #expect(try await house.execute("blockdev-del", #"{"node-name": "disk0"}"#) == [:])
    #expect(
      await house.refusal("blockdev-del", #"{"node-name": "disk0"}"#)
        == QMPError(
          .genericError,
          "Failed to find node with node-name='disk0'. See: `snapjob -m default node list`",
          kind: "notFound"))
  }

  @Test func aMachineOfFilesHasNoNodesToChange() async throws {
    let house = House(.oneOff(Machine(name: nil, nodes: [])))
    house.images.add("/a")
    #expect(await house.refusal("blockdev-add", add("disk0", "/a"))?.kind == "usage")
    #expect(await house.refusal("blockdev-del", #"{"node-name": "disk0"}"#)?.kind == "usage")
  }

  @Test func describesNodesNewestFirst() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.machines.addNode(Node(name: NodeName("gone"), path: "/gone"), toMachine: "default")
    let nodes = try await house.execute("query-named-block-nodes", #"{"flat": true}"#).elements
    #expect(nodes.compactMap { $0.text("node-name") } == ["gone", "disk0"])
    #expect(nodes[0].text("x-problem") == "/gone: no such file")
    #expect(nodes[0]["image"] == nil)
    let image = try #require(nodes[1]["image"])
    #expect(image["virtual-size"] == 65_536)
    #expect(image.text("filename") == "/disk0")
    #expect(
      image["snapshots"]?.elements.first?.jsonText
        == """
        {"vm-clock-nsec": 7, "name": "first", "date-sec": 1700000000, "date-nsec": 5, \
        "vm-clock-sec": 3, "id": "1", "vm-state-size": 12}
        """)
  }

  @Test func createsAnImageAsAJob() async throws {
    let house = House()
    let arguments = """
      {"job-id": "c", "options": {"driver": "qcow2", "size": 1048576,
       "file": {"driver": "file", "filename": "/new.qcow2"}}}
      """
    try await house.execute("blockdev-create", arguments)
    let record = try await house.runner.wait(for: JobID("c"))
    #expect(record.type == "create")
    #expect(record.error == nil)
    #expect(house.images.files == ["/new.qcow2"])
    let jobs = try await house.execute("query-jobs").elements
    #expect(jobs.first?.text("type") == "create")
    let shown = try await house.execute("x-snapjob-query-jobs", #"{"id": "c"}"#).elements.first
    #expect(shown?["tag"] == .null)
    #expect(shown?["exit-code"] == 0)
  }

  @Test func aFileThatExistsIsTheJobsError() async throws {
    let house = House()
    house.images.add("/new.qcow2")
    try await house.execute(
      "blockdev-create",
      """
      {"job-id": "c", "options": {"driver": "qcow2", "size": 512, "cluster-size": 4096,
       "version": "v2", "file": {"driver": "file", "filename": "/new.qcow2"}}}
      """)
    let record = try await house.runner.wait(for: JobID("c"))
    #expect(record.error == JobError(.conflict, "/new.qcow2: File exists"))
    #expect(house.images.files == ["/new.qcow2"])
  }

  @Test(
    "An image is not created for a node whose name cannot be had",
    arguments: [("disk0", "conflict"), ("0x", "refused")])
  func creationWithABadName(name: String, kind: String) async throws {
    let house = House()
    try house.addNode("disk0")
    let options =
      #"{"driver": "qcow2", "size": 512, "file": {"driver": "file", "filename": "/new"}}"#
    let error = await house.refusal(
      "blockdev-create", #"{"job-id": "c", "options": \#(options), "x-node-name": "\#(name)"}"#)
    #expect(error?.kind == kind)
    #expect(!house.images.files.contains("/new"))
    #expect(try house.jobs.job(JobID("c")) == nil)
  }
}
