import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// Persistent dirty bitmaps on a disk.
@Suite struct BitmapTests {
  @Test func `save and delete leave bitmaps alone; a strict load is refused in QEMU's words`()
    async throws
  {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    for name in ["backup0", "backup1"] {
      try Command.run("qemu-img", ["bitmap", "--add", nodes[1].path, name])
    }
    try QemuIO.write(0x31, at: 700 << 10, length: 65536, in: nodes[1].path)
    let bitmaps = try description(nodes[1])
    let dirty = try dirtyRanges(nodes[1], bitmap: "backup0")
    #expect(dirty.contains("\"dirty-count\"") || !dirty.isEmpty)

    try await bench.succeed(.save("t", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try description(nodes[1]) == bitmaps)
    #expect(try dirtyRanges(nodes[1], bitmap: "backup0") == dirty)

    let before = try fileDigests(nodes)
    var strict = SnapshotRequest.load("t", on: nodes)
    strict.strictBitmaps = true
    let error = try await bench.fail(strict, on: nodes)
    #expect(error.kind == .conflict)
    #expect(
      error.message
        == "Could not load snapshot 't' on 'disk1': Device has active dirty bitmaps "
        + "(backup0, backup1)")
    #expect(try fileDigests(nodes) == before)

    try await bench.succeed(.delete("t", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try description(nodes[1]) == bitmaps)
    #expect(try dirtyRanges(nodes[1], bitmap: "backup0") == dirty)
  }

  @Test func `a load marks what it changes in enabled bitmaps, and says so`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    try await bench.succeed(.save("t", on: nodes), on: nodes)
    try QemuIO.write(0x31, at: 640 << 10, length: 65536, in: nodes[1].path)
    try QemuBitmaps.add("backup", to: nodes[1].path)
    try QemuBitmaps.add("frozen", to: nodes[1].path, isEnabled: false)

    let result = try await bench.succeed(.load("t", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(result.remarks.contains { $0.contains("disk1") && $0.contains("(backup)") })
    #expect(try nodes[1].dirtyRanges(ofBitmap: "backup") == [640 << 10..<704 << 10])
    #expect(try nodes[1].dirtyRanges(ofBitmap: "frozen").isEmpty)
    let listed = try QemuBitmaps.list(nodes[1].path)
    #expect(listed["backup"]?["count"]?.int == 65536)
    #expect(listed["frozen"]?["count"]?.int == 0)
  }

  /// What qemu-img says of the bitmaps of an image.
  private func description(_ node: Node) throws -> JSONValue? {
    try QemuImg.info(node.path)["format-specific"]?["data"]?["bitmaps"]
  }

  /// The runs of a bitmap as a client of QEMU's NBD server sees them.
  private func dirtyRanges(_ node: Node, bitmap: String) throws -> String {
    try Command.run(
      "sh",
      [
        "-c",
        """
        set -e
        qemu-nbd -r -t -f qcow2 -B "$2" -k "$3" --pid-file="$3.pid" "$1" & server=$!
        while [ ! -S "$3" ] || [ ! -s "$3.pid" ]; do sleep 0.02; done
        qemu-img map --output=json --image-opts \
          "driver=nbd,server.type=unix,server.path=$3,x-dirty-bitmap=qemu:dirty-bitmap:$2"
        kill $server; wait $server || true; rm -f "$3" "$3.pid"
        """, "sh", node.path, bitmap, node.path + ".socket",
      ]
    ).text
  }
}
