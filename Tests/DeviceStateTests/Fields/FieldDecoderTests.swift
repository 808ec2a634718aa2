import DeviceState
import Testing

@Suite struct FieldDecoderTests {
  private func text(_ fields: [DeviceField]) -> [String] {
    fields.map { "\($0.path) \($0.offset) \($0.bytes)" }
  }

  private let number = FieldDescription(name: "n", type: "uint16", byteCount: 2)

  @Test func `Fields follow each other, arrays as one`() throws {
    let state = StructDescription(
      name: "s",
      fields: [number, FieldDescription(name: "a", type: "uint8", byteCount: 1, count: 3)])
    #expect(try text(state.fields(of: [1, 2, 3, 4, 5])) == ["n 0 [1, 2]", "a 2 [3, 4, 5]"])
  }

  @Test func `Structs in arrays have a number, those described one by one too`() throws {
    let inner = StructDescription(name: "i", fields: [number])
    let state = StructDescription(
      name: "s",
      fields: [
        FieldDescription(name: "a", type: "struct", byteCount: 2, count: 2, structure: inner),
        FieldDescription(name: "b", type: "struct", byteCount: 2, index: 7, structure: inner),
        FieldDescription(name: "c", type: "struct", byteCount: 2, structure: inner),
      ])
    #expect(
      try text(state.fields(of: [1, 2, 3, 4, 5, 6, 7, 8])) == [
        "a[0].n 0 [1, 2]", "a[1].n 2 [3, 4]", "b[7].n 4 [5, 6]", "c.n 6 [7, 8]",
      ])
  }

  @Test func `Subsections have a header in the state, and their name in the path`() throws {
    let state = StructDescription(
      name: "s", fields: [number],
      subsections: [StructDescription(name: "s/x", fields: [number])])
    let payload: [UInt8] = [1, 2, 5, 3] + Array("s/x".utf8) + [0, 0, 0, 1, 3, 4]
    #expect(state.byteCount == UInt64(payload.count))
    #expect(try text(state.fields(of: payload)) == ["n 0 [1, 2]", "s/x.n 11 [3, 4]"])
    var other = payload
    other[4] = 0x74
    #expect(throws: StreamError.self) { try state.fields(of: other) }
  }

  @Test func `A description that does not fit the state is refused`() {
    let state = StructDescription(name: "s", fields: [number])
    for payload in [[1], [1, 2, 3]] as [[UInt8]] {
      let error = #expect(throws: StreamError.self) { try state.fields(of: payload) }
      #expect(error?.code == .mismatch)
    }
  }

  @Test func `Sizes that no state has cost nothing`() {
    for (byteCount, count) in [(.max, .max), (0, .max), (1, .max), (.max, 1)] as [(UInt64, UInt64)]
    {
      let plain = FieldDescription(name: "f", type: "uint8", byteCount: byteCount, count: count)
      let nested = FieldDescription(
        name: "f", type: "struct", byteCount: byteCount, count: count,
        structure: StructDescription(name: "i", fields: [plain]))
      for field in [plain, nested] {
        let state = StructDescription(name: "s", fields: [field])
        #expect(throws: StreamError.self) { try state.fields(of: [1, 2, 3]) }
      }
    }
  }

  @Test func `A state of more fields than any device has is refused`() {
    let field = FieldDescription(
      name: "f", type: "struct", byteCount: 1, count: UInt64(StreamLimits.decodedFieldCount + 1),
      structure: StructDescription(
        name: "i", fields: [FieldDescription(name: "b", type: "uint8", byteCount: 1)]))
    let state = StructDescription(name: "s", fields: [field])
    let error = #expect(throws: StreamError.self) {
      try state.fields(of: [UInt8](repeating: 0, count: StreamLimits.decodedFieldCount + 1))
    }
    #expect(error?.code == .overLimit)
  }

  @Test func `Names that would take far more memory than the state are refused`() throws {
    let byte = FieldDescription(name: "n", type: "uint8", byteCount: 1)
    let state = StructDescription(
      name: "s",
      fields: [
        FieldDescription(
          name: String(repeating: "x", count: 1 << 16), type: "struct", byteCount: 1, count: 1000,
          structure: StructDescription(name: "i", fields: [byte]))
      ])
    let error = #expect(throws: StreamError.self) {
      try state.fields(of: [UInt8](repeating: 0, count: 1000))
    }
    #expect(error?.code == .overLimit)
  }
}
