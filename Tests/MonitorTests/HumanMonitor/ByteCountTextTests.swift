import Testing

@testable import Monitor

@Suite struct ByteCountTextTests {
  /// What `size_to_str` of QEMU 7.2 prints.
  @Test(
    "Has three significant digits and a unit",
    arguments: [
      (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "0.977 KiB"), (1023, "0.999 KiB"),
      (1024, "1 KiB"), (1034, "1.01 KiB"), (10_240, "10 KiB"), (10_291, "10 KiB"),
      (10_292, "10.1 KiB"), (102_400, "100 KiB"), (479_232, "468 KiB"), (1_023_488, "1e+03 KiB"),
      (1_023_999, "1e+03 KiB"), (1_024_000, "0.977 MiB"), (3_177_185, "3.03 MiB"),
      (1_048_576, "1 MiB"), (1 << 40, "1 TiB"), (UInt64.max, "16 EiB"),
    ] as [(UInt64, String)])
  func text(count: UInt64, text: String) {
    #expect(ByteCountText.text(count) == text)
  }
}
