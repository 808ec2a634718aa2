import DeviceState
import Testing

@Suite struct DeviceFieldTests {
  private func value(_ type: String, _ elementByteCount: Int, _ bytes: [UInt8]) -> DeviceField.Value
  {
    DeviceField(
      path: "f", type: type, offset: 0, elementByteCount: elementByteCount, bytes: bytes
    ).value
  }

  @Test func `Numbers are big endian, with and without a sign`() {
    #expect(value("uint16", 2, [0x12, 0x34]) == .unsigned(0x1234))
    #expect(value("int8", 1, [0xFE]) == .signed(-2))
    #expect(value("int32 equal", 4, [0xFF, 0xFF, 0xFF, 0x00]) == .signed(-256))
    #expect(value("uint64", 8, [UInt8](repeating: 0xFF, count: 8)) == .unsigned(.max))
    #expect(value("int64", 8, [UInt8](repeating: 0xFF, count: 8)) == .signed(-1))
    #expect(value("timer", 8, [0, 0, 0, 0, 0, 0, 1, 0]) == .unsigned(256))
  }

  @Test func `A truth value is 0 or 1, anything else is a number`() {
    #expect(value("bool", 1, [0]) == .bool(false))
    #expect(value("bool", 1, [1]) == .bool(true))
    #expect(value("bool", 1, [7]) == .unsigned(7))
  }

  @Test func `An array has a value for each element`() {
    #expect(
      value("uint16", 2, [0, 1, 0, 2, 0, 3]) == .list([.unsigned(1), .unsigned(2), .unsigned(3)]))
  }

  @Test func `What is no number is told as bytes`() {
    #expect(value("buffer", 3, [1, 2, 3]) == .bytes([1, 2, 3]))
    #expect(value("pci irq state", 16, [1]) == .bytes([1]))
    #expect(value("uint32", 3, [1, 2, 3]) == .bytes([1, 2, 3]))
  }
}
