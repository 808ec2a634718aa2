import LiveMachine
import QMP
import Testing

@Suite struct HarmfulCommandTests {
  @Test func `other commands are passed on as they are`() throws {
    #expect(try HarmfulCommand.check("query-status", nil) == nil)
    #expect(try HarmfulCommand.check("x", ["x-force": true]) == ["x-force": true])
  }

  @Test func `a harmful command is refused, and by force passed on without the word`() throws {
    for arguments in [nil, ["filename": "f"], ["filename": "f", "x-force": false]] as [QMPValue?] {
      let error = #expect(throws: QMPError.self) {
        try HarmfulCommand.check("xen-load-devices-state", arguments)
      }
      #expect(error?.kind == "refused" && error?.desc.contains("--force") == true)
    }
    let passed = try HarmfulCommand.check(
      "xen-load-devices-state", ["x-force": true, "filename": "f"])
    #expect(passed == ["filename": "f"])
  }
}
