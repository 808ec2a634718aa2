import Testing

@testable import SnapjobCLI

@Suite struct ExitStatusTests {
  @Test(
    "each kind of failure has its code",
    arguments: [
      ("general", 1), ("notFound", 4), ("conflict", 5), ("inUse", 6), ("timeout", 7),
      ("connection", 8), ("refused", 9), ("cancelled", 10), ("permission", 11), ("noSpace", 12),
      ("catalog", 13), ("usage", 64), ("something new", 1),
    ])
  func kinds(kind: String, code: Int32) {
    #expect(ExitStatus(kind: kind).rawValue == code)
  }

  @Test("a failure of unknown kind is 1") func noKind() {
    #expect(ExitStatus(kind: nil) == .failed)
  }

  @Test("interruptions are 128 and the signal", arguments: [(1, 129), (2, 130), (15, 143)])
  func signals(signal: Int32, code: Int32) {
    #expect(ExitStatus.interrupted(by: signal).rawValue == code)
  }
}
