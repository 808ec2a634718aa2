import Glibc
import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

@Suite(.serialized) struct RepairingTests {
  private let bench: Workbench

  init() throws { bench = try Workbench() }

  private func repair(_ node: Node, _ scope: RepairScope = .all) throws -> CheckReport {
    try ImageAccess(log: bench.catalog).repair(node.path, scope)
  }

  @Test func `an image that a machine holds is not repaired, and the machine is named`() throws {
    let node = try bench.makeDisk("disk0")
    let vm = try QemuVM([.init("disk0", node.path)], name: "web01")
    let error = try #require(throws: Qcow2Error.self) { _ = try repair(node) }
    #expect(error.code == .inUse)
    #expect(error.description.contains("-name web01"))
    try vm.quit()
    #expect(try repair(node).exitCode == 0)
  }

  @Test func `an image of a commit that cannot be finished is not repaired`() async throws {
    let nodes = try bench.makeTwoDisks()
    try bench.interrupt(command: .save("new", on: nodes), on: nodes, published: [0])
    let away = bench.directory.path("away.qcow2")
    try Command.run("mv", [nodes[1].path, away])
    _ = try bench.recovery.run()
    let before = try FileBytes(nodes[0])
    let error = try #require(throws: Qcow2Error.self) { _ = try repair(nodes[0]) }
    #expect(error.code == .inUse)
    #expect(error.description.contains("snapjob recover"))
    #expect(try FileBytes(nodes[0]) == before)
    try Command.run("mv", [away, nodes[1].path])
    #expect(try repair(nodes[0]).exitCode == 0)
    #expect(try tags(nodes) == [["new"], ["new"]])
  }

  @Test func `a fenced image is finished before it is repaired`() async throws {
    let nodes = try bench.makeTwoDisks()
    try bench.interrupt(command: .save("new", on: nodes), on: nodes)
    #expect(try repair(nodes[0]).exitCode == 0)
    #expect(try tags(nodes) == [["new"], ["new"]])
  }

  @Test func `what a QEMU leaves that is killed while it saves is repaired as by qemu-img`()
    async throws
  {
    let options = ["cluster_size=4096", "lazy_refcounts=on"]
    let nodes = try (0..<3).map {
      try bench.makeDisk("disk\($0)", size: "16M", options: $0 == 2 ? ["compat=0.10"] : options)
    }
    for node in nodes {
      try QemuIO.run(["write -P 1 0 6M", "write -P 2 10M 3M"], on: node.path)
      try QemuImg.createSnapshot("old", in: node.path)
      try QemuIO.run(["write -P 3 1M 4M"], on: node.path)
    }
    let masters = try nodes.map(FileBytes.init)
    let names = nodes.map(\.name.description)
    let devices = names.map { "\"\($0)\"" }.joined(separator: ", ")
    for attempt in 0..<6 {
      for (node, master) in zip(nodes, masters) { try master.write(to: node) }
      let vm = try QemuVM(nodes.map { .init($0.name.description, $0.path) })
      try vm.execute(
        "snapshot-save",
        "{\"job-id\": \"j\", \"tag\": \"new\", \"vmstate\": \"disk0\", \"devices\": [\(devices)]}")
      usleep(UInt32(attempt * 6_000))
      vm.kill()

      for node in nodes {
        let other = Node(name: node.name, path: bench.directory.path("copy.qcow2"))
        try FileBytes(node).write(to: other)
        _ = try Command.attempt("qemu-img", ["check", "-q", "-r", "all", other.path])
        #expect(try QemuImg.check(other.path).isClean)

        let report = try repair(node)
        #expect(report.exitCode == 0, "attempt \(attempt): \(report.messages)")
        #expect(try QemuImg.check(node.path).isClean)
        #expect(
          try DiskState(accordingToQemu: node.path) == DiskState(accordingToQemu: other.path))
      }
      // Whether the set is partial or not, the tag goes from wherever it is.
      try await bench.succeed(.delete("new", on: nodes), on: nodes)
      try expectAgreement(nodes)
      for node in nodes { #expect(try QemuImg.snapshotNames(node.path) == ["old"]) }
    }
  }
}

/// The bytes of an image file.
private struct FileBytes: Equatable {
  let bytes: [UInt8]

  init(_ node: Node) throws {
    let file = try PosixFile(opening: node.path, .read)
    bytes = try file.read(byteCount: Int(try file.length()), at: 0)
  }

  /// Makes them the whole content of another image.
  func write(to node: Node) throws {
    let access = PosixFileAccess()
    if (try? access.open(node.path, .read)) == nil { _ = try access.create(node.path) }
    let file = try access.open(node.path, .readWrite)
    try file.setLength(0)
    try file.write(bytes, at: 0)
  }
}
