import DeviceState
import Testing

@Suite struct StreamComparisonTests {
  private func contents(_ bytes: [UInt8]) throws -> StreamContents {
    try StreamContents(reading: BytesSource(bytes))
  }

  @Test(arguments: GoldenStream.allCases)
  func `A state does not differ from itself`(golden: GoldenStream) throws {
    let state = try contents(golden.bytes)
    let comparison = try StreamComparison(from: state, to: state)
    #expect(comparison.isEmpty)
    #expect(comparison.equalCount == state.summary.devices.count)
  }

  @Test func `The field that was changed is told with both values`() throws {
    let bytes = try GoldenStream.savevm.bytes
    let old = try contents(bytes)
    let timer = try #require(old.devices(named: "i8254").first)
    var changed = bytes
    // channels[1].mode, which is 3.
    changed[Int(timer.payload.lowerBound) + 49] = 2
    let comparison = try StreamComparison(from: old, to: contents(changed))
    #expect(comparison.added.isEmpty && comparison.removed.isEmpty)
    let change = try #require(comparison.changed.first)
    #expect(comparison.changed.count == 1)
    #expect(change.name == DeviceName("i8254", 0))
    #expect(change.differingByteCount == 1)
    let field = try #require(change.fields?.first)
    #expect(change.fields?.count == 1)
    #expect(field.path == "channels[1].mode")
    #expect(field.old?.value == .unsigned(3))
    #expect(field.new?.value == .unsigned(2))
  }

  @Test func `Devices that only one of the two has are told`() throws {
    let state = try contents(GoldenStream.savevm.bytes)
    let file = try contents(GoldenStream.devicesNone.bytes)
    let comparison = try StreamComparison(from: state, to: file)
    #expect(comparison.added.isEmpty)
    #expect(comparison.removed.count == state.summary.devices.count - 2)
    let opposite = try StreamComparison(from: file, to: state)
    #expect(opposite.added == comparison.removed)
    #expect(opposite.removed.isEmpty)
  }

  @Test func `One description serves for both states`() throws {
    let file = try contents(GoldenStream.devicesNone.bytes)
    let state = try contents(GoldenStream.migration.bytes)
    let comparison = try StreamComparison(from: file, to: state)
    let change = try #require(comparison.changed.first { $0.name.name == "globalstate" })
    #expect(change.fields?.map(\.path) == ["size", "runstate"])
  }

  @Test func `Without any description the bytes are counted`() throws {
    let bytes = try GoldenStream.devicesQ35.bytes
    let old = try contents(bytes)
    let device = try #require(old.summary.devices.first)
    var changed = bytes
    for index in 0..<3 { changed[Int(device.payload.lowerBound) + index] ^= 0xFF }
    let comparison = try StreamComparison(from: old, to: contents(changed))
    #expect(comparison.changed.map(\.differingByteCount) == [3])
    #expect(comparison.changed.first?.fields == nil)
  }
}
