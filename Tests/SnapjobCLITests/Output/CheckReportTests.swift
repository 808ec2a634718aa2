import QMP
import Testing

@testable import SnapjobCLI

@Suite struct CheckReportTests {
  @Test("a clean image is reported as qemu-img does") func clean() {
    let report = CheckReport([
      "corruptions": 0, "leaks": 0, "check-errors": 0, "total-clusters": 160,
      "allocated-clusters": 1, "fragmented-clusters": 0, "compressed-clusters": 0,
      "image-end-offset": 393216, "exit-code": 0,
    ])
    #expect(
      report.text == """
        No errors were found on the image.
        1/160 = 0.62% allocated, 0.00% fragmented, 0.00% compressed clusters
        Image end offset: 393216
        """)
  }

  @Test("corruption and leaks are reported as qemu-img does") func damaged() {
    let report = CheckReport(["corruptions": 2, "leaks": 1, "exit-code": 2])
    #expect(
      report.text == """

        2 errors were found on the image.
        Data may be corrupted, or further writes to the image may corrupt it.

        1 leaked clusters were found on the image.
        This means waste of disk space, but no harm to data.
        """)
  }

  @Test(
    "the worst of several codes wins",
    arguments: [
      ([0, 3, 2, 1], 2), ([0, 3, 63], 63), ([3, 1], 1), ([0, 3], 3), ([0, 0], 0), ([], 0),
    ]
      as [([Int32], Int32)])
  func worst(codes: [Int32], expected: Int32) {
    #expect(CheckReport.worst(codes.map(ExitStatus.init)).rawValue == expected)
  }
}
