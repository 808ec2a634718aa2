import Testing

@testable import SnapjobCLI

@Suite struct QuantityTests {
  @Test(
    "bytes are shown in binary units with at most one decimal",
    arguments: [
      (0, "0 B"), (512, "512 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"),
      (65536, "64 KiB"), (1_258_291, "1.2 MiB"), (1_048_575, "1 MiB"), (3_435_973_836, "3.2 GiB"),
      (10_737_418_240, "10 GiB"), (Int64.max, "8 EiB"), (-1024, "-1 KiB"),
    ])
  func bytes(count: Int64, text: String) {
    #expect(Quantity.bytes(count) == text)
  }

  @Test(
    "times are shown as long as they are",
    arguments: [
      (0, "0.0 s"), (300, "0.3 s"), (9949, "9.9 s"), (42000, "42 s"), (185_000, "3 min 5 s"),
      (7_620_000, "2 h 7 min"),
    ])
  func times(milliseconds: Int, text: String) {
    #expect(Quantity.time(.milliseconds(milliseconds)) == text)
  }

  @Test("one thing is one thing") func counts() {
    #expect(Quantity.count(1, "disk") == "1 disk")
    #expect(Quantity.count(0, "disk") == "0 disks")
    #expect(Quantity.count(2, "disk") == "2 disks")
  }
}
