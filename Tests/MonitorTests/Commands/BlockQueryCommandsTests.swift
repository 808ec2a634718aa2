import QMP
import Testing

@Suite struct BlockQueryCommandsTests {
  @Test func tellsOfNodesAsDevicesInTheMachinesOrder() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.addNode("disk1")
    let devices = try await house.execute("query-block").elements
    #expect(devices.compactMap { $0["inserted"]?.text("node-name") } == ["disk0", "disk1"])
    #expect(devices[0].names == ["device", "locked", "removable", "inserted", "type"])
    #expect(devices[0].text("device") == "")
    let nodes = try await house.execute("query-named-block-nodes").elements
    #expect(devices[1]["inserted"] == nodes[0])
  }

  @Test func nothingWasReadOrWritten() async throws {
    let house = House()
    try house.addNode("disk0")
    let devices = try await house.execute("query-blockstats").elements
    #expect(devices.map(\.names) == [["device", "stats", "node-name"]])
    #expect(devices[0]["stats"]?["wr_bytes"] == 0)
    let nodes = try await house.execute("query-blockstats", #"{"query-nodes": true}"#).elements
    #expect(nodes.map(\.names) == [["stats", "node-name"]])
    #expect(nodes[0]["stats"]?.names.count == 26)
  }
}
