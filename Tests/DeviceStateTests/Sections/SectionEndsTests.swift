import DeviceState
import Testing

@Suite struct SectionEndsTests {
  private func payloads(
    _ text: StreamText, isSeekable: Bool = true
  ) throws -> [String: Int] {
    let summary = try text.summary(isSeekable: isSeekable)
    return Dictionary(
      uniqueKeysWithValues: summary.devices.map { ($0.name.name, $0.payload.count) })
  }

  /// The bytes of a footer and of a whole section behind it.
  private func imitation(footer id: UInt32, then next: UInt32) -> [UInt8] {
    var text = StreamText()
    text.addFooter(id)
    text.addDevice(id: next, "imitation", [9, 9])
    return Array(text.bytes[8...])
  }

  @Test func `A footer's bytes inside of a device's state end nothing`() throws {
    var text = StreamText()
    text.addDevice(id: 5, "first", [1, 0x7E, 0, 0, 0, 5, 2, 0x7E, 0x7E, 0, 0, 0])
    text.addDevice(id: 6, "second", [0x7E, 0, 0, 0, 6, 0, 0, 0])
    text.add(UInt8(0))
    for isSeekable in [true, false] {
      #expect(try payloads(text, isSeekable: isSeekable) == ["first": 12, "second": 8])
    }
  }

  @Test func `A section inside of a device's state ends nothing, as the rest would not go with it`()
    throws
  {
    var text = StreamText()
    let state = imitation(footer: 5, then: 77) + [1, 2, 3]
    text.addDevice(id: 5, "first", state)
    text.addDevice(id: 6, "second", [4])
    text.add(UInt8(0))
    #expect(try payloads(text) == ["first": state.count, "second": 1])
  }

  @Test func `An imitated section whose footer is nowhere ends nothing`() throws {
    var inner = StreamText()
    inner.addFooter(5)
    inner.addHeader(4, id: 78, "imitation")
    let state = Array(inner.bytes[8...]) + [1, 2, 3]
    var text = StreamText()
    text.addDevice(id: 5, "first", state)
    text.addDevice(id: 6, "second", [4])
    text.add(UInt8(0))
    #expect(try payloads(text) == ["first": state.count, "second": 1])
  }

  @Test func `Commands may follow a section`() throws {
    var text = StreamText()
    text.addDevice(id: 5, "first", [1, 2])
    text.add(UInt8(8), UInt16(2), UInt16(4), UInt32(7))
    text.addDevice(id: 6, "second", [4])
    text.add(UInt8(0))
    for isSeekable in [true, false] {
      #expect(try payloads(text, isSeekable: isSeekable) == ["first": 2, "second": 1])
    }
  }

  @Test func `The description tells the lengths in a stream without footers`() throws {
    var text = StreamText()
    text.addDevice(id: 5, "first", [1, 2], hasFooter: false)
    text.addDevice(id: 6, "second", [4, 5, 6], hasFooter: false)
    text.addDescription(
      """
      {"page_size": 4096, "devices": [
        {"name": "first", "instance_id": 0, "fields": [{"name": "a", "type": "uint16", "size": 2}]},
        {"name": "second", "instance_id": 0, "fields": [
          {"name": "b", "array_len": 3, "type": "uint8", "size": 1}]}]}
      """)
    #expect(try payloads(text) == ["first": 2, "second": 3])
    #expect(try text.summary().hasFooters == false)
  }

  @Test func `Without footers and description nothing tells, and that is said`() throws {
    var text = StreamText()
    text.addDevice(id: 5, "first", [1, 2], hasFooter: false)
    text.addDevice(id: 6, "second", [4, 5, 6], hasFooter: false)
    text.add(UInt8(0))
    for isSeekable in [true, false] {
      let error = #expect(throws: StreamError.self) { try text.summary(isSeekable: isSeekable) }
      #expect(error?.section?.contains("'first'") == true)
      #expect(error?.message.contains("neither footers nor a description") == true)
    }
  }

  @Test func `Where the description does not fit, the footers tell`() throws {
    var text = StreamText()
    text.addDevice(id: 5, "first", [1, 2, 3])
    text.addDevice(id: 6, "second", [4])
    text.addDescription(
      """
      {"devices": [{"name": "first", "fields": [{"name": "a", "type": "uint16", "size": 2}]},
        {"name": "second", "fields": [{"name": "b", "type": "buffer", "size": 18446744}]}]}
      """)
    #expect(try payloads(text) == ["first": 3, "second": 1])
  }

  @Test func `A footer of another section is refused with its place`() throws {
    var text = StreamText()
    text.addHeader(1, id: 3, "dirty-bitmap")
    text.add(UInt8(1))
    text.addFooter(4)
    text.add(UInt8(0))
    let error = #expect(throws: StreamError.self) { try text.summary() }
    #expect(error?.code == .malformed)
    #expect(error?.offset == 35)
    #expect(error?.section == "section 'dirty-bitmap' (instance 0, id 3, START)")
  }

  @Test func `A device or an id that is there twice is refused`() throws {
    for (id, instance) in [(5, 1), (6, 0)] as [(UInt32, UInt32)] {
      var text = StreamText()
      text.addDevice(id: 5, "serial", [1, 2])
      text.addDevice(id: id, "serial", instance: instance, [4])
      text.add(UInt8(0))
      let error = #expect(throws: StreamError.self) { try text.summary() }
      #expect(error?.code == .malformed)
    }
  }

  @Test func `More places that look like footers than any stream has are refused`() throws {
    var text = StreamText()
    text.addHeader(4, id: 5, "first")
    for _ in 0...StreamLimits.footerCandidateCount {
      text.addFooter(6)
      text.addHeader(4, id: 7, "x")
    }
    let error = #expect(throws: StreamError.self) { try text.summary() }
    #expect(error?.code == .overLimit)
  }

  @Test func `Sections of a device that is not known end at their footers`() throws {
    var text = StreamText()
    text.addHeader(1, id: 9, "0000:00:03.0/vfio", version: 1)
    text.add([1, 2, 0x7E, 0, 0, 0, 9, 9])
    text.addFooter(9)
    for _ in 0..<3 {
      text.add(UInt8(2), UInt32(9))
      text.add([4, 5])
      text.addFooter(9)
    }
    text.add(UInt8(3), UInt32(9))
    text.addFooter(9)
    text.addDevice(id: 5, "first", [1, 2])
    text.add(UInt8(0))
    for isSeekable in [true, false] {
      let summary = try text.summary(isSeekable: isSeekable)
      let device = try #require(summary.iterables.first)
      #expect(device.sectionCount == 5)
      #expect(device.byteCount == summary.byteCount - 9 - 26)
      #expect(summary.devices.map(\.payload.count) == [2])
    }
  }

  @Test func `100,000 empty sections are normal`() throws {
    var text = StreamText()
    text.addHeader(1, id: 3, "dirty-bitmap")
    text.add(UInt8(1))
    text.addFooter(3)
    for _ in 0..<100_000 {
      text.add(UInt8(2), UInt32(3), UInt8(1))
      text.addFooter(3)
    }
    text.add(UInt8(3), UInt32(3), UInt8(1))
    text.addFooter(3)
    text.add(UInt8(0))
    #expect(try text.summary().iterables.first?.sectionCount == 100_002)
  }
}
