import Testing

@testable import SnapjobCLI

@Suite struct NamedValueTests {
  @Test("a disk may have a name") func disks() {
    #expect(DiskArgument(argument: "a=/x=y.qcow2")?.node == "a")
    #expect(DiskArgument(argument: "a=/x=y.qcow2")?.file == "/x=y.qcow2")
    #expect(DiskArgument(argument: "./a=b.qcow2")?.node == nil)
    #expect(DiskArgument(argument: "./a=b.qcow2")?.file == "./a=b.qcow2")
    #expect(DiskArgument(argument: "b.qcow2")?.file == "b.qcow2")
    #expect(DiskArgument(argument: "") == nil)
  }

  @Test("a pair needs both halves", arguments: ["", "a", "=", "a=", "=b"])
  func incomplete(text: String) {
    #expect(NamedValue(argument: text) == nil)
  }
}
