import DeviceState
import Testing

@Suite struct DeviceStateFileTests {
  private func extract(_ bytes: [UInt8], withFooters: Bool = true) throws -> [UInt8] {
    let collected = CollectedBytes()
    let count = try DeviceStateFile.extract(
      from: BytesSource(bytes), withFooters: withFooters, to: collected.output)
    #expect(count == UInt64(collected.bytes.count))
    return collected.bytes
  }

  private func merge(
    _ file: [UInt8], _ state: [UInt8]
  ) throws -> (bytes: [UInt8], merged: DeviceStateFile.Merged) {
    let collected = CollectedBytes()
    let merged = try DeviceStateFile.merge(
      BytesSource(file), into: BytesSource(state), to: collected.output)
    #expect(merged.byteCount == UInt64(collected.bytes.count))
    return (collected.bytes, merged)
  }

  @Test(arguments: [GoldenStream.savevm, .migration])
  func `The devices of a stream are a file of their own`(golden: GoldenStream) throws {
    let bytes = try golden.bytes
    let whole = try StreamSummary(reading: BytesSource(bytes))
    let file = try extract(bytes)
    let devices = try StreamSummary(reading: BytesSource(file))
    #expect(devices.isDevicesOnly)
    #expect(devices.description == nil)
    #expect(devices.devices.map(\.header) == whole.devices.map(\.header))
    for (copy, original) in zip(devices.devices, whole.devices) {
      #expect(file[copy.payload.asIndices] == bytes[original.payload.asIndices])
    }
  }

  @Test(arguments: [GoldenStream.devicesNone, .devicesQ35, .devicesPC])
  func `Extracting from a file of devices gives the same file`(golden: GoldenStream) throws {
    let bytes = try golden.bytes
    #expect(try extract(bytes) == bytes)
  }

  @Test
  func
    `A state that holds what looks like its end is not taken out of the stream that tells its length`()
    throws
  {
    var bytes = try GoldenStream.savevm.bytes
    let whole = try StreamSummary(reading: BytesSource(bytes))
    let last = try #require(whole.devices.last)
    let device = try #require(whole.devices.dropLast().first { $0.payload.count >= 32 })
    // Its footer, and the header of a section that the last device's footer ends.
    var text = StreamText()
    let start = text.bytes.count
    text.add(UInt8(0x7E))
    text.add(device.header.id)
    text.addDevice(id: last.header.id, "x", instance: 0, [])
    let disguise = text.bytes[start...].prefix(5 + 15)
    bytes.replaceSubrange(
      Int(device.payload.lowerBound)..<Int(device.payload.lowerBound) + disguise.count,
      with: disguise)
    #expect(
      try StreamSummary(reading: BytesSource(bytes)).devices.map(\.header)
        == whole.devices.map(\.header))
    let collected = CollectedBytes()
    let error = #expect(throws: StreamError.self) {
      try DeviceStateFile.extract(from: BytesSource(bytes), to: collected.output)
    }
    #expect(error?.code == .unsupported && error?.section?.contains(device.name.name) == true)
    #expect(collected.bytes.isEmpty)
  }

  @Test func `Without footers just these are left out`() throws {
    let bytes = try GoldenStream.savevm.bytes
    let count = try StreamSummary(reading: BytesSource(bytes)).devices.count
    #expect(try extract(bytes, withFooters: false).count == extract(bytes).count - 5 * count)
  }

  @Test func `What was extracted and is merged again gives the same stream`() throws {
    for golden in [GoldenStream.savevm, .migration] {
      let bytes = try golden.bytes
      let result = try merge(extract(bytes), bytes)
      #expect(result.bytes == bytes)
      #expect(result.merged.keepsDescription)
    }
  }

  @Test func `A merge takes each device from the file and all else from the stream`() throws {
    let state = try GoldenStream.savevm.bytes
    let whole = try StreamSummary(reading: BytesSource(state))
    var text = StreamText()
    for (index, device) in whole.devices.enumerated().reversed() {
      let payload =
        device.name.name == "globalstate"
        ? [0, 0, 0, 8] + Array("running".utf8) + [UInt8](repeating: 0, count: 93)
        : [UInt8](repeating: UInt8(index), count: device.payload.count)
      text.addDevice(
        id: UInt32(500 + index), device.name.name, instance: device.name.instance, payload)
    }
    text.add(UInt8(0))
    let (bytes, merged) = try merge(text.bytes, state)
    // The versions differ, so that the description of the fields says nothing of them.
    #expect(!merged.keepsDescription)
    let result = try StreamSummary(reading: BytesSource(bytes))
    #expect(result.configuration == whole.configuration)
    #expect(result.ram == whole.ram)
    #expect(result.runState == "running")
    #expect(result.descriptionByteCount == 0)
    #expect(result.devices.map(\.name) == whole.devices.map(\.name))
    #expect(result.devices.map(\.header.id) == whole.devices.map(\.header.id))
    #expect(result.devices.allSatisfy { $0.header.version == 1 })
    let cpu = try #require(result.devices.firstIndex { $0.name.name == "cpu" })
    #expect(bytes[result.devices[cpu].payload.asIndices].allSatisfy { $0 == UInt8(cpu) })
  }

  @Test func `Another set of devices is refused with the difference`() throws {
    let error = #expect(throws: StreamError.self) {
      try merge(GoldenStream.devicesNone.bytes, GoldenStream.savevm.bytes)
    }
    #expect(error?.code == .mismatch)
    #expect(error?.message.contains("the file lacks 'fw_cfg', 'cpu_common', 'cpu'") == true)
    let more = #expect(throws: StreamError.self) {
      try merge(GoldenStream.devicesQ35.bytes, GoldenStream.migration.bytes)
    }
    #expect(more?.message.contains("the machine has no ") == true)
  }

  @Test func `Nothing is written of streams that do not fit together or are damaged`() throws {
    let collected = CollectedBytes()
    let state = try GoldenStream.savevm.bytes
    #expect(throws: StreamError.self) {
      try DeviceStateFile.merge(
        BytesSource(Array(GoldenStream.devicesNone.bytes.dropLast())), into: BytesSource(state),
        to: collected.output)
    }
    #expect(collected.bytes.isEmpty)
  }
}

extension Range<UInt64> {
  /// The range in an array of the stream's bytes.
  var asIndices: Range<Int> { Int(lowerBound)..<Int(upperBound) }
}
