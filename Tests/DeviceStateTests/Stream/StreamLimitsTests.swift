import DeviceState
import Testing

@Suite struct StreamLimitsTests {
  /// Refuses a stream for its size, whether the source is seekable or not, and names the section.
  private func expectOverLimit(_ text: StreamText, in section: String) {
    for isSeekable in [true, false] {
      let error = #expect(throws: StreamError.self) {
        try text.summary(isSeekable: isSeekable)
      }
      #expect(error?.code == .overLimit)
      #expect(error?.offset != nil)
      #expect(error?.section?.contains(section) == true, "\(error as Any)")
      #expect(
        error?.message.contains("limit") == true || error?.message.contains("more than") == true)
    }
  }

  @Test func `RAM of 16 EiB is refused`() {
    var text = StreamText()
    text.addHeader(1, id: 2, "ram", version: 4)
    text.add(UInt64.max & ~4095 | 0x04)
    expectOverLimit(text, in: "ram")
  }

  @Test func `RAM blocks that are more than was announced are refused`() {
    var text = StreamText()
    text.addHeader(1, id: 2, "ram", version: 4)
    text.add(UInt64(0x2000 | 0x04))
    text.add(counted: "pc.ram")
    text.add(UInt64.max)
    let error = #expect(throws: StreamError.self) { try text.summary() }
    #expect(error?.code == .malformed)
  }

  @Test func `RAM blocks without end are refused`() {
    var text = StreamText()
    text.addHeader(1, id: 2, "ram", version: 4)
    text.add(UInt64(0x1000 | 0x04))
    for index in 0...StreamLimits.ramBlockCount {
      text.add(counted: "b\(index)")
      text.add(UInt64(0))
    }
    expectOverLimit(text, in: "ram")
  }

  @Test func `A description of 1 GiB is refused`() {
    var text = StreamText()
    text.addDevice(id: 1, "timer", [1, 2, 3])
    text.add(UInt8(0), UInt8(6), UInt32(1 << 30), UInt8(ascii: "{"))
    let error = #expect(throws: StreamError.self) { try text.summary(isSeekable: false) }
    #expect(error?.code == .overLimit)
    #expect(error?.section == "vmdesc")
    #expect(throws: StreamError.self) { try text.summary() }
  }

  @Test func `A description that nests 10,000 deep is refused`() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
      var text = StreamText()
      text.addDevice(id: 1, "timer", [1, 2, 3])
      let nest = { (part: String) in String(repeating: part, count: 10_000) }
      text.addDescription("{\"x\":\(nest(open))0\(nest(close))}")
      expectOverLimit(text, in: "vmdesc")
    }
  }

  @Test func `Structs that nest 10,000 deep are refused`() {
    var text = StreamText()
    text.addDevice(id: 1, "timer", [1, 2, 3])
    let open = String(repeating: "{\"struct\":{\"fields\":[", count: 10_000)
    text.addDescription("{\"devices\":[{\"name\":\"timer\",\"fields\":[\(open)")
    expectOverLimit(text, in: "vmdesc")
  }

  @Test func `A description with more fields than any machine has is refused`() {
    var text = StreamText()
    text.addDevice(id: 1, "timer", [1, 2, 3])
    let fields = String(repeating: "{\"size\":1},", count: StreamLimits.descriptionObjectCount)
    text.addDescription("{\"devices\":[{\"name\":\"timer\",\"fields\":[\(fields){\"size\":1}]}]}")
    expectOverLimit(text, in: "vmdesc")
  }

  @Test func `A machine type of 4 GiB is refused`() {
    var text = StreamText()
    text.add(UInt8(7), UInt32.max)
    expectOverLimit(text, in: "configuration")
  }

  @Test func `Capabilities without end are refused`() {
    var text = StreamText()
    text.add(UInt8(7), UInt32(2))
    text.add(Array("pc".utf8))
    text.add(UInt8(5))
    text.add(counted: "configuration/capabilities")
    text.add(UInt32(1), UInt32.max)
    expectOverLimit(text, in: "configuration")
  }

  @Test func `A package larger than QEMU's is refused`() {
    var text = StreamText()
    text.add(UInt8(8), UInt16(7), UInt16(4), UInt32.max)
    expectOverLimit(text, in: "command")
  }

  @Test func `A chunk of a dirty bitmap larger than QEMU's is refused`() {
    var text = StreamText()
    text.addHeader(1, id: 3, "dirty-bitmap")
    text.add(UInt8(0x41), UInt64(0), UInt32(8), UInt64.max)
    expectOverLimit(text, in: "dirty-bitmap")
  }
}
