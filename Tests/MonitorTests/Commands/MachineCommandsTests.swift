import Jobs
import Monitor
import QMP
import SnapshotJobs
import Testing

@Suite struct MachineCommandsTests {
  @Test func addsAMachineWithItsDisksOrNothing() async throws {
    let house = House()
    house.images.add("/a", "/b", "/c")
    try await house.execute(
      "x-snapjob-machine-add",
      """
      {"name": "web01", "disks": [{"filename": "/a"}, {"node-name": "disk0", "filename": "/b"},
       {"filename": "/c"}]}
      """)
    #expect(
      try house.machines.machine(named: "web01").nodes.map(\.name.description)
        == ["disk1", "disk0", "disk2"])
    let error = await house.refusal(
      "x-snapjob-machine-add",
      #"{"name": "web02", "disks": [{"filename": "/a"}, {"filename": "/none"}]}"#)
    #expect(error?.kind == "notFound")
    #expect(try house.machines.machines().map(\.name) == ["default", "web01"])
    #expect(
      await house.refusal("x-snapjob-machine-add", #"{"name": "web01", "disks": []}"#)?.kind
        == "conflict")
    #expect(try house.machines.machine(named: "web01").nodes.count == 3)
  }

  @Test func showsMachines() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.machines.addNode(
      Node(name: NodeName("cd"), path: "/cd", isReadOnly: true), toMachine: "default")
    #expect(
      try await house.execute("x-snapjob-machine-list").jsonText
        == #"[{"name": "default", "nodes": 2}]"#)
    #expect(
      try await house.execute("x-snapjob-machine-show").jsonText
        == """
        {"name": "default", "vmstate-node": "disk0", "nodes": [{"node-name": "disk0", \
        "filename": "/disk0", "read-only": false, "excluded": false}, {"node-name": "cd", \
        "filename": "/cd", "read-only": true, "excluded": false}]}
        """)
    try house.machines.setVMState(NodeName("disk0"), ofMachine: "default")
    let shown = try await house.execute("x-snapjob-machine-show", #"{"name": "default"}"#)
    #expect(shown.text("vmstate") == "disk0")
    #expect(await house.refusal("x-snapjob-machine-show", #"{"name": "x"}"#)?.kind == "notFound")
  }

  @Test func showsAOneOffMachineWithoutAName() async throws {
    let machine = Machine(name: nil, nodes: [Node(name: try NodeName("a"), path: "/a")])
    let shown = try await House(.oneOff(machine)).execute("x-snapjob-machine-show")
    #expect(shown["name"] == .null)
    #expect(shown.text("vmstate-node") == "a")
  }

  @Test func removesAMachine() async throws {
    let house = House()
    try house.machines.addMachine(named: "web01")
    try await house.execute("x-snapjob-machine-remove", #"{"name": "web01"}"#)
    #expect(
      await house.refusal("x-snapjob-machine-remove", #"{"name": "web01"}"#)?.kind == "notFound")
  }

  @Test func changesSeveralThingsAtOnce() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.addNode("disk1")
    try house.machines.setVMState(NodeName("disk0"), ofMachine: "default")
    house.images.add("/moved")
    try await house.execute(
      "x-snapjob-machine-set",
      """
      {"name": "default", "exclude": "disk1", "rename": {"old": "disk0", "new": "root"},
       "file": {"node-name": "disk0", "filename": "/moved"}}
      """)
    let machine = try house.machines.machine(named: "default")
    #expect(
      machine.nodes == [
        Node(name: try NodeName("root"), path: "/moved"),
        Node(name: try NodeName("disk1"), path: "/disk1", isExcluded: true),
      ])
    #expect(machine.vmstate?.description == "root")
    try await house.execute(
      "x-snapjob-machine-set", #"{"name": "default", "include": "disk1", "vmstate": "disk1"}"#)
    #expect(try house.machines.machine(named: "default").vmstate?.description == "disk1")
    #expect(try house.machines.machine(named: "default").coveredNodes.count == 2)
  }

  @Test(
    "Changes nothing if a part of it cannot be",
    arguments: [
      (
        #""exclude": "x""#,
        "Failed to find node with node-name='x'. See: `snapjob -m default node list`"
      ),
      (
        #""exclude": "disk0", "rename": {"old": "disk0", "new": "disk1"}"#,
        "Duplicate nodes with node-name='disk1'"
      ),
      (
        #""exclude": "disk0", "file": {"node-name": "disk0", "filename": "/none"}"#,
        "Could not open '/none': No such file or directory"
      ),
      (
        #""exclude": "disk0", "file": {"node-name": "disk0", "filename": "/disk1"}"#,
        "/disk1 is node 'disk1' of this machine already"
      ),
      (
        #""exclude": "disk0", "vmstate": "x""#,
        "Failed to find node with node-name='x'. See: `snapjob -m default node list`"
      ),
    ])
  func allOrNothing(change: String, desc: String) async throws {
    let house = House()
    try house.addNode("disk0")
    try house.addNode("disk1")
    let before = try house.machines.machine(named: "default")
    let error = await house.refusal("x-snapjob-machine-set", #"{"name": "default", \#(change)}"#)
    #expect(error?.desc == desc)
    #expect(try house.machines.machine(named: "default") == before)
  }
}
