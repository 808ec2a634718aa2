import DeviceState
import Jobs
import QMP
import SnapshotJobs
import Testing

@Suite struct DeviceStateInspectionCommandsTests {
  /// A stream of two devices: `serial` with a given state, and `serial#1` with one of 3 bytes.
  private static func stream(_ state: [UInt8]) throws -> BytesSource {
    let collected = Collected()
    let writer = StreamWriter(to: collected.output)
    try writer.begin()
    for (id, state) in [(5, state), (6, [7, 8, 9])] as [(UInt32, [UInt8])] {
      try writer.beginSection(
        SectionHeader(.full, id: id, name: "serial", instance: id - 5, version: 3))
      try writer.write(state)
      try writer.endSection(withFooter: true)
    }
    try writer.endSections()
    try writer.finish()
    return BytesSource(collected.bytes)
  }

  private final class Collected {
    private(set) var bytes: [UInt8] = []

    var output: StreamOutput {
      { run throws(StreamError) in run.withUnsafeBytes { self.bytes += $0 } }
    }
  }

  private static func inspection() throws -> StateInspection {
    StateInspection(
      summary: try StreamSummary(reading: stream([1, 2])),
      fields: [
        .init(
          device: DeviceName("serial", 1),
          fields: [
            DeviceField(
              path: "divider", type: "uint16", offset: 0, elementByteCount: 2, bytes: [1, 0]),
            DeviceField(
              path: "fifo", type: "buffer", offset: 2, elementByteCount: 1, bytes: [0xAB]),
          ])
      ])
  }

  @Test func `a state of a file is told, its parts add up to the length`() async throws {
    let house = House()
    let found = try Self.inspection()
    house.images.set { $0.inspections[.file("/vm.state")] = found }
    let state = try await house.execute(
      "x-snapjob-device-state-inspect", #"{"filename": "/vm.state"}"#)
    #expect(state["machine-type"] == .null)
    #expect(state["ram"] == .null)
    #expect(state["footers"] == true)
    #expect(state["fields"] == [])
    let parts = state["parts"]?.elements ?? []
    #expect(parts.map { $0.text("kind") } == ["header", "device", "device", "end"])
    #expect(parts.map { $0.integer("size") } == [8, 27, 28, 1])
    #expect(parts.reduce(0) { $0 + $1.integer("size") } == state.integer("length"))
    #expect(
      parts[2] == [
        "kind": "device", "name": "serial", "instance": 1, "version": 3, "size": 28,
        "sections": .null, "state-size": 3,
      ])
  }

  @Test func `fields are numbers, or hexadecimal digits`() async throws {
    let house = House()
    let found = try Self.inspection()
    house.images.set { $0.inspections[.tag("monday")] = found }
    let state = try await house.execute(
      "x-snapjob-device-state-inspect", #"{"tag": "monday", "fields": "serial#1"}"#)
    #expect(
      state["fields"] == [
        [
          "device": "serial", "instance": 1, "name": "divider", "type": "uint16", "offset": 0,
          "length": 2, "value": 256,
        ],
        [
          "device": "serial", "instance": 1, "name": "fifo", "type": "buffer", "offset": 2,
          "length": 1, "value": "ab",
        ],
      ])
  }

  @Test func `either a file or a tag is named`() async throws {
    let house = House()
    for arguments in ["{}", #"{"tag": "a", "filename": "/b"}"#] {
      let refusal = await house.refusal("x-snapjob-device-state-inspect", arguments)
      #expect(refusal?.kind == "usage")
    }
    let missing = await house.refusal("x-snapjob-device-state-inspect", #"{"tag": "a"}"#)
    #expect(missing?.kind == "notFound")
  }

  @Test func `two states are compared, files and snapshots`() async throws {
    let house = House()
    let comparison = try StreamComparison(
      from: StreamContents(reading: Self.stream([1, 2])),
      to: StreamContents(reading: Self.stream([1, 5])))
    house.images.set { state in
      state.comparisons[.tag("monday")] = comparison
      state.comparisons[.file("/a.state")] = comparison
    }
    for from in ["tag:monday", "/a.state"] {
      let difference = try await house.execute(
        "x-snapjob-device-state-diff", #"{"from": "\#(from)", "to": "/b.state"}"#)
      #expect(
        difference == [
          "added": [], "removed": [],
          "changed": [
            [
              "name": "serial", "instance": 0, "from-version": 3, "to-version": 3, "from-size": 2,
              "to-size": 2, "bytes": 1, "fields": .null,
            ]
          ],
          "equal": 1,
        ])
    }
  }
}
