import Testing

@testable import DeviceState

@Suite struct StreamReaderTests {
  @Test(arguments: GoldenStream.allCases, [1024, 4099, 1 << 18])
  func `What QEMU wrote is read and written back byte for byte`(
    golden: GoldenStream, capacity: Int
  ) throws {
    let bytes = try golden.bytes
    for isSeekable in [true, false] {
      let source = BytesSource(bytes, isSeekable: isSeekable)
      var reader = try StreamReader(source, capacity: capacity)
      #expect(try reader.copied() == bytes)
    }
  }

  @Test(arguments: GoldenStream.allCases)
  func `The sections are the same whether the source is seekable or not`(
    golden: GoldenStream
  ) throws {
    let bytes = try golden.bytes
    let seekable = try StreamSummary(reading: BytesSource(bytes))
    let sequential = try StreamSummary(reading: BytesSource(bytes, isSeekable: false))
    #expect(seekable == sequential)
  }
}
