import Testing

@testable import Jobs

@Suite("Job ids")
struct JobIDTests {
  @Test(
    "Well-formed ids are taken as they are",
    arguments: ["a", "Z9", "save-1.2_x", String(repeating: "j", count: 300)])
  func wellFormed(_ name: String) throws {
    #expect(try JobID(name).description == name)
  }

  @Test(
    "Malformed ids are refused with QEMU's text",
    arguments: ["", "1a", "-a", ".a", "_a", "a b", "#block123", "a/b", "jöb", "é", "a\0", "a\n"])
  func malformed(_ name: String) {
    #expect(throws: JobError(.usage, "Invalid job ID '\(name)'")) { try JobID(name) }
  }
}
