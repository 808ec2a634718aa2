import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct CatalogMachineStoreTests {
  let home: TemporaryCatalog
  let catalog: Catalog

  init() throws {
    home = try TemporaryCatalog()
    catalog = try home.open()
  }

  private func node(
    _ name: String, _ path: String = "/x.qcow2", isReadOnly: Bool = false, isExcluded: Bool = false
  ) throws -> Node {
    Node(name: try NodeName(name), path: path, isReadOnly: isReadOnly, isExcluded: isExcluded)
  }

  @Test func theDefaultMachineExistsAndComesFirst() throws {
    #expect(try catalog.machines() == [Machine(name: "default", nodes: [])])
    try catalog.addMachine(named: "a")
    try catalog.addMachine(named: "Z")
    #expect(try catalog.machines().map(\.name) == ["default", "Z", "a"])
    #expect(try catalog.machine(named: "default").nodes.isEmpty)
  }

  @Test func anUnknownMachineIsNotFoundAndTheErrorSaysHowToAddIt() throws {
    let error = failure { _ = try catalog.machine(named: "web") }
    #expect(error?.kind == .notFound)
    #expect(error?.message == "No machine 'web'. To add it: `snapjob machine add web`")
    #expect(failure { try catalog.addNode(node("d"), toMachine: "web") } == error)
    #expect(failure { try catalog.removeMachine(named: "web") } == error)
    #expect(failure { try catalog.setVMState(nil, ofMachine: "web") } == error)
  }

  @Test func aMachineIsAddedOnce() throws {
    try catalog.addMachine(named: "web")
    #expect(failure { try catalog.addMachine(named: "web") }?.kind == .conflict)
    #expect(failure { try catalog.addMachine(named: "default") }?.kind == .conflict)
    #expect(failure { try catalog.addMachine(named: "") }?.kind == .usage)
  }

  @Test func nodesKeepTheirOrderAndAllTheirProperties() throws {
    let nodes = [
      try node("z", "/z with space.qcow2"), try node("a", "/\u{E4}.qcow2", isReadOnly: true),
      try node("m", isExcluded: true),
    ]
    for node in nodes { try catalog.addNode(node, toMachine: "default") }
    let other = try home.open()
    #expect(try other.machine(named: "default").nodes == nodes)
  }

  @Test func aNodesNameIsTakenWithinItsMachineOnly() throws {
    try catalog.addMachine(named: "web")
    try catalog.addNode(node("disk0"), toMachine: "default")
    try catalog.addNode(node("disk0"), toMachine: "web")
    #expect(
      failure { try catalog.addNode(node("disk0"), toMachine: "web") }
        == JobError(.conflict, "Duplicate nodes with node-name='disk0'"))
  }

  @Test func aReplacedNodeStaysAtItsPlace() throws {
    for name in ["a", "b", "c"] { try catalog.addNode(node(name), toMachine: "default") }
    try catalog.setVMState(NodeName("b"), ofMachine: "default")
    let fresh = try node("new", "/new.qcow2", isReadOnly: true, isExcluded: true)
    try catalog.replaceNode(NodeName("b"), with: fresh, inMachine: "default")
    let machine = try catalog.machine(named: "default")
    #expect(machine.nodes.map(\.name.description) == ["a", "new", "c"])
    #expect(machine.nodes[1] == fresh)
    #expect(machine.vmstate == fresh.name)
    try catalog.replaceNode(NodeName("new"), with: node("new", "/2"), inMachine: "default")
    #expect(try catalog.machine(named: "default").nodes[1].path == "/2")
    #expect(
      failure { try catalog.replaceNode(NodeName("a"), with: node("c"), inMachine: "default") }
        == JobError(.conflict, "Duplicate nodes with node-name='c'"))
    #expect(
      failure { try catalog.replaceNode(NodeName("x"), with: node("y"), inMachine: "default") }
        == JobError(.notFound, "Failed to find node with node-name='x'"))
  }

  @Test func aRemovedNodeIsGoneAndNoLongerKeepsDeviceState() throws {
    for name in ["a", "b"] { try catalog.addNode(node(name), toMachine: "default") }
    try catalog.setVMState(NodeName("a"), ofMachine: "default")
    try catalog.removeNode(NodeName("a"), fromMachine: "default")
    let machine = try catalog.machine(named: "default")
    #expect(machine.nodes.map(\.name.description) == ["b"])
    #expect(machine.vmstate == nil)
    #expect(
      failure { try catalog.removeNode(NodeName("a"), fromMachine: "default") }
        == JobError(.notFound, "Failed to find node with node-name='a'"))
    try catalog.addNode(node("c"), toMachine: "default")
    #expect(try catalog.machine(named: "default").nodes.map(\.name.description) == ["b", "c"])
  }

  @Test func onlyANodeOfTheMachineCanKeepDeviceState() throws {
    try catalog.addNode(node("a"), toMachine: "default")
    try catalog.setVMState(NodeName("a"), ofMachine: "default")
    #expect(try catalog.machine(named: "default").vmstate == NodeName("a"))
    #expect(
      failure { try catalog.setVMState(NodeName("b"), ofMachine: "default") }
        == JobError(.notFound, "Failed to find node with node-name='b'"))
    try catalog.setVMState(nil, ofMachine: "default")
    #expect(try catalog.machine(named: "default").vmstate == nil)
  }

  @Test func theDefaultMachineCannotBeRemoved() throws {
    #expect(failure { try catalog.removeMachine(named: "default") }?.kind == .conflict)
    #expect(try catalog.machines().count == 1)
  }

  @Test func aMachineIsNotRemovedWhileAJobOfItIsNotConcluded() throws {
    try catalog.addMachine(named: "web")
    _ = try catalog.insert([newJob("job1", subject: "web")])
    let error = failure { try catalog.removeMachine(named: "web") }
    #expect(error?.kind == .inUse)
    #expect(error?.message.contains("'job1'") == true)
    try catalog.move("job1", to: .concluded)
    try catalog.removeMachine(named: "web")
    #expect(failure { _ = try catalog.machine(named: "web") }?.kind == .notFound)
    #expect(try catalog.history(subject: "web", allSubjects: false).count == 1)
  }

  @Test func aMachineIsNotRemovedWhileACommitOnOneOfItsFilesIsOpen() throws {
    try catalog.addMachine(named: "web")
    try catalog.addNode(node("d", "/d.qcow2"), toMachine: "web")
    _ = try catalog.insert([newJob("job1", subject: nil)])
    let intent = try catalog.enter(
      commitIntent(jobs: [try JobID("job1")], paths: ["/other", "/d.qcow2"]))
    let error = failure { try catalog.removeMachine(named: "web") }
    #expect(error?.kind == .conflict)
    #expect(error?.message.contains("'job1'") == true)
    try catalog.settleAll(intent)
    try catalog.removeMachine(named: "web")
  }

  @Test func aMachineIsNotRemovedWhileACommitOfItsJobIsOpen() throws {
    try catalog.addMachine(named: "web")
    _ = try catalog.insert([newJob("job1", subject: "web")])
    let intent = try catalog.enter(
      commitIntent(jobs: [try JobID("job1")], paths: ["/moved.qcow2"]))
    try catalog.move("job1", to: .concluded)
    #expect(failure { try catalog.removeMachine(named: "web") }?.kind == .conflict)
    try catalog.settleAll(intent, .undone)
    try catalog.removeMachine(named: "web")
  }
}
