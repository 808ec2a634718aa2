import Testing

@testable import SnapjobCLI

@Suite struct ByteSizeTests {
  @Test(
    "sizes take qemu's suffixes",
    arguments: [
      ("0", 0), ("512", 512), ("1b", 1), ("64k", 65536), ("64K", 65536), ("2M", 2_097_152),
      ("10G", 10_737_418_240), ("1.5G", 1_610_612_736), ("1T", 1_099_511_627_776),
      ("0.5k", 512), ("7E", 8_070_450_532_247_928_832),
    ])
  func good(text: String, bytes: Int64) {
    #expect(ByteSize(argument: text)?.byteCount == bytes)
  }

  @Test(
    "other texts are no sizes",
    arguments: [
      "", "k", "-1", "+1", "1 G", "1GiB", "0x10", "1.", ".5k", "1.5", "1.2.3k", "8E", "٣",
      "99999999999999999999", "ten", "1e3",
    ])
  func bad(text: String) {
    #expect(ByteSize(argument: text) == nil)
  }
}
