import Jobs
import SnapshotJobs
import TestOracles
import Testing

@testable import Qcow2

/// What ends a job before anything is written.
@Suite struct LimitTests {
  @Test func `an image without data keeps 65,536 snapshots, and one more is refused unwritten`()
    async throws
  {
    let bench = try Workbench()
    let node = try bench.makeDisk("disk0", size: "64k", options: ["cluster_size=512"])
    try fill(node, count: 65_535)

    try await bench.succeed(.save("last", on: [node]), on: [node])
    let rows = try QemuImg.snapshotTable(node.path).split(separator: "\n")
    // Below a title and the columns' names.
    #expect(rows.count == 65_536 + 2)
    #expect(try Image.open(node.path, for: .peek).snapshots.last?.id == "65536")

    let before = try Command.sha256(ofFile: node.path)
    let error = try await bench.fail(.save("more", on: [node]), on: [node])
    #expect(error.kind == .refused)
    #expect(
      error.message
        == "disk0: \(node.path): the image has 65536 snapshots already; delete one first")
    #expect(try Command.sha256(ofFile: node.path) == before)

    try await bench.succeed(.delete("s7", on: [node], mustExist: true), on: [node])
    try await bench.succeed(.save("more", on: [node]), on: [node])
    let check = try QemuImg.check(node.path)
    #expect(check.isClean, "\(check.text)")
  }

  /// Takes many snapshots at once, with ids from 1 and the names s1, s2, ….
  private func fill(_ node: Node, count: Int) throws {
    let image = try Image.open(node.path, for: .change)
    var draft = try ImageDraft(image)
    for number in 1...count {
      draft.newL1s[draft.table.entries.count] = draft.activeL1
      draft.table.entries.append(
        SnapshotEntry(
          l1TableOffset: HostOffset(0), l1Size: UInt32(draft.activeL1.count),
          id: Array("\(number)".utf8), name: Array("s\(number)".utf8), dateSeconds: 1,
          dateNanoseconds: 0, vmClockNanoseconds: 0, vmStateSize: 0, diskSize: draft.size,
          icount: SnapshotEntry.noInstructionCount, unknownExtraData: []))
    }
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
    image.unlock()
  }

  @Test(arguments: [(1, 0), (2, 2)])
  func `a refcount that would overflow is found before anything is written to any disk`(
    width: Int, present: Int
  ) async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    let narrow = try bench.makeDisk(
      "narrow", size: "64k", options: ["cluster_size=512", "refcount_bits=\(width)"])
    try QemuIO.write(0x41, at: 0, length: 2048, in: narrow.path)
    for number in 0..<present {
      try await bench.succeed(.save("s\(number)", on: [narrow]), on: [narrow])
    }
    try expectAgreement([narrow])
    let set = [nodes[0], narrow, nodes[1]]
    let before = try fileDigests(set)

    let error = try await bench.fail(.save("more", on: set), on: set)
    #expect(error.kind == .refused)
    #expect(error.message.hasPrefix("narrow: \(narrow.path)"))
    #expect(error.message.contains("this image's refcounts end at \((1 << width) - 1)"))
    #expect(try fileDigests(set) == before)

    if present > 0 {
      try await bench.succeed(.delete("s0", on: [narrow]), on: [narrow])
      try await bench.succeed(.save("more", on: set), on: set)
      try expectAgreement(set)
    }
  }
}
