import Testing

@testable import DeviceState

@Suite struct DescriptionReaderTests {
  private func read(_ text: String) throws(StreamError) -> VMDescription {
    var reader = DescriptionReader(Array(text.utf8), at: 100)
    return try reader.read()
  }

  @Test func `Devices, fields, structs and subsections are read; what is unknown is passed over`()
    throws
  {
    let description = try read(
      #"""
      {"configuration": {"vmsd_name": "configuration", "x": [1, -2.5e3, true, null, {"y": "\"}"}]},
       "page_size": 4096, "devices": [
        {"name": "a\u0041\/", "instance_id": -1, "vmsd_name": "k", "version": 3, "fields": [
          {"name": "f", "array_len": 4, "type": "uint16", "size": 2},
          {"name": "s", "index": 2, "type": "struct", "struct": {"vmsd_name": "i", "version": 1,
            "fields": [{"name": "g", "type": "bool", "size": 1}]}, "size": 1}],
         "subsections": [{"vmsd_name": "k/x", "version": 1, "fields": []}]}]}
      """#)
    #expect(description.pageByteCount == 4096)
    let device = try #require(description.devices.first)
    #expect(device.device == DeviceName("aA/", .max))
    #expect(device.state.version == 3)
    #expect(device.state.fields.map(\.count) == [4, 1])
    #expect(device.state.fields[1].index == 2)
    #expect(device.state.fields[1].structure?.fields.map(\.name) == ["g"])
    #expect(device.state.byteCount == 8 + 1 + 6 + 3)
  }

  @Test func `Fields in the field's own object are its struct, if they fill it`() throws {
    let description = try read(
      """
      {"devices": [{"name": "d", "fields": [
        {"name": "t", "type": "tmp", "vmsd_name": "k", "version": 0,
         "fields": [{"name": "g", "type": "uint16", "size": 2}], "size": 2},
        {"name": "q", "type": "QTAILQ", "vmsd_name": "k", "version": 0,
         "fields": [{"name": "g", "type": "uint16", "size": 2}], "size": 4}]}]}
      """)
    let fields = try #require(description.devices.first).state.fields
    #expect(fields[0].structure?.fields.map(\.name) == ["g"])
    #expect(fields[1].structure == nil)
  }

  @Test func `A state whose length is no number has none`() throws {
    let huge = "\(Int64.max)"
    let description = try read(
      """
      {"devices": [{"name": "d", "fields": [
        {"name": "f", "type": "buffer", "array_len": \(huge), "size": \(huge)}]}]}
      """)
    #expect(description.devices.first?.state.byteCount == nil)
  }

  @Test(arguments: [
    "", "{", "}", "[]", "{}x", #"{"devices"}"#, #"{"devices": {}}"#, #"{"devices": [{}]}"#,
    #"{"devices": [{"name": "d", "fields": [{"name": "f"}]}]}"#,
    #"{"devices": [{"name": "d", "fields": [{"size": -1}]}]}"#,
    #"{"devices": [{"name": "d", "fields": [{"size": 99999999999999999999}]}]}"#,
    #"{"page_size": 4095, "devices": []}"#, #"{"page_size": 18446744073709551616}"#,
    #"{"a": "\x"}"#, #"{"a": "\ud800"}"#, #"{"a": "\u00"}"#, "{\"a\": \"\n\"}", #"{"a": "b"#,
    #"{"a": }"#, #"{"a": [1,}"#,
  ])
  func `What is no description is refused with its place`(text: String) {
    let error = #expect(throws: StreamError.self) { try read(text) }
    #expect(error?.code == .malformed)
    #expect(error?.section == "vmdesc")
    #expect(error?.offset.map { (100...100 + UInt64(text.utf8.count)).contains($0) } == true)
  }
}
