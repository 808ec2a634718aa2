import Jobs
import QMP
import Testing

@testable import LiveMachine

/// Replies of a real QEMU 7.2, cut down to what is read.
@Suite struct DiskScanTests {
  private static let devices = """
    [{"device": "data", "qdev": "/machine/peripheral-anon/device[2]/virtio-backend", "inserted":
      {"node-name": "#block260", "drv": "qcow2", "ro": false, "file": "/v/b.qcow2", "image":
       {"filename": "/v/b.qcow2", "snapshots": [{"id": "1", "name": "q", "vm-state-size": 7,
         "date-sec": 1700000000, "date-nsec": 5000}]}}},
     {"device": "", "qdev": "/machine/peripheral/rawdev/virtio-backend", "inserted":
      {"node-name": "#block407", "drv": "raw", "ro": false, "file": "/v/c.raw", "image":
       {"filename": "/v/c.raw"}}},
     {"device": "pflash0", "qdev": "/machine/system.flash0", "inserted":
      {"node-name": "#block601", "drv": "raw", "ro": false, "file": "/v/vars", "image":
       {"filename": "/v/vars"}}},
     {"device": "cd0", "removable": true},
     {"device": "iso", "inserted": {"node-name": "#block1", "drv": "raw", "ro": true}},
     {"device": "", "qdev": "/machine/peripheral-anon/device[0]/virtio-backend", "inserted":
      {"node-name": "disk0", "drv": "qcow2", "ro": false, "dirty-bitmaps": [{"name": "bm"}, {}],
       "image": {"filename":
        "json:{\\"driver\\": \\"qcow2\\", \\"file\\": {\\"driver\\": \\"file\\", \\"filename\\": \\"/v/a\\"}}"}}}]
    """
  private static let nodes = """
    [{"node-name": "spare", "drv": "qcow2", "ro": false, "image": {"filename": "/v/s"}},
     {"node-name": "base", "drv": "qcow2", "ro": true, "image": {"filename": "/v/base"}},
     {"node-name": "#block260", "drv": "qcow2", "ro": false, "image": {"filename": "/v/b.qcow2"}},
     {"node-name": "#block169", "drv": "file", "ro": false, "image": {"filename": "/v/b.qcow2"}}]
    """

  private func scan() throws -> DiskScan {
    DiskScan(
      devices: try QMPValue(parsing: Self.devices), nodes: try QMPValue(parsing: Self.nodes))
  }

  @Test func `writable disks are found, with the names that their user gave them`() throws {
    let disks = try scan().disks
    #expect(disks.map(\.label) == ["data", "rawdev", "pflash0", "disk0", "spare"])
    #expect(disks.map(\.path) == ["/v/b.qcow2", "/v/c.raw", "/v/vars", "/v/a", "/v/s"])
    #expect(disks.map(\.canTakeSnapshots) == [true, false, false, true, true])
    #expect(disks.map(\.isFlash) == [false, false, true, false, false])
    #expect(disks.map(\.isAttached) == [true, true, true, true, false])
  }

  @Test func `bitmaps and snapshots are read`() throws {
    let disks = try scan().disks
    #expect(
      disks[0].snapshots == [
        .init(
          id: "1", name: "q", vmStateSize: 7, dateSeconds: 1_700_000_000, dateNanoseconds: 5000)
      ])
    #expect(disks[0].snapshots[0].isTaken(since: .init(microseconds: 1_700_000_000_000_005)))
    #expect(!disks[0].snapshots[0].isTaken(since: .init(microseconds: 1_700_000_000_000_006)))
    #expect(disks[3].bitmaps == ["bm", "one without a name"])
  }

  @Test func `nonsense makes no disks`() {
    #expect(DiskScan(devices: .null, nodes: ["a"]).disks.isEmpty)
    #expect(DiskScan(devices: [["inserted": 3]], nodes: [:]).disks.count == 1)
  }
}
