import DeviceState
import Testing

@Suite struct StreamContentsTests {
  private func contents(_ golden: GoldenStream) throws -> StreamContents {
    try StreamContents(reading: BytesSource(golden.bytes))
  }

  @Test(arguments: [GoldenStream.savevm, .migration])
  func `The fields of every device fill its state`(golden: GoldenStream) throws {
    let contents = try contents(golden)
    for device in contents.summary.devices {
      let fields = try #require(try contents.fields(of: device), "\(device.name)")
      var next = 0
      for field in fields {
        // Between two fields there is at most the header of a subsection.
        #expect(field.offset == next || field.offset > next + 6, "\(device.name) \(field.path)")
        next = field.offset + field.bytes.count
      }
      #expect(next == device.payload.count)
    }
  }

  @Test func `The registers of a machine that was not started are told`() throws {
    let contents = try contents(.savevm)
    let cpu = try #require(contents.devices(named: "cpu").first)
    let fields = try #require(try contents.fields(of: cpu))
    let values = Dictionary(uniqueKeysWithValues: fields.map { ($0.path, $0.value) })
    // The reset vector of an x86 processor.
    #expect(values["env.eip"] == .unsigned(0xFFF0))
    #expect(values["env.segs[1].selector"] == .unsigned(0xF000))
    #expect(values["env.segs[1].base"] == .unsigned(0xFFFF_0000))
    guard case .list(let registers) = values["env.regs"] else {
      Issue.record("env.regs is no list")
      return
    }
    #expect(registers.count == 16)
  }

  @Test func `One of several instances is named with its number`() throws {
    let contents = try contents(.savevm)
    #expect(contents.devices(named: "i8259").map(\.name.instance) == [0, 1])
    #expect(contents.devices(named: "i8259#1").map(\.name.instance) == [1])
    #expect(contents.devices(named: "i8259#0").map(\.name.instance) == [0])
    #expect(contents.devices(named: "none").isEmpty)
  }

  @Test func `Files of devices describe no fields; another state's description serves`() throws {
    let state = try contents(.migration)
    let file = try contents(.devicesNone)
    let timer = try #require(file.devices(named: "timer").first)
    #expect(try file.fields(of: timer) == nil)
    let fields = try file.fields(of: timer, describedBy: state.summary.description)
    #expect(fields?.map(\.path).contains("cpu_ticks_offset") == true)
  }
}
