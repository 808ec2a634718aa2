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

  @Test func `a merge of no bitmap, which ends QEMU, is refused, also in a transaction`() throws {
    let merge: QMPValue = ["node": "disk0", "target": "b0", "bitmaps": []]
    for (command, arguments) in [
      ("block-dirty-bitmap-merge", merge),
      ("transaction", ["actions": [["type": "block-dirty-bitmap-merge", "data": merge]]]),
    ] as [(String, QMPValue)] {
      let error = #expect(throws: QMPError.self) { try HarmfulCommand.check(command, arguments) }
      #expect(error?.kind == "refused")
    }
    let sound: QMPValue = ["node": "disk0", "target": "b0", "bitmaps": ["b1"]]
    #expect(try HarmfulCommand.check("block-dirty-bitmap-merge", sound) == sound)
  }
}
