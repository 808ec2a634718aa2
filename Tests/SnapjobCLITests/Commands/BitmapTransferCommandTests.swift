import QMP
import Testing

@testable import SnapjobCLI

@Suite struct BitmapTransferCommandTests {
  private let mapping: QMPValue = [
    [
      "node-name": "disk0", "alias": "A",
      "bitmaps": [["name": "b", "alias": "B"], ["name": "c", "alias": "C"]],
    ]
  ]

  @Test("send becomes QMP's migrate, with an absolute path") func send() async {
    let run = Run()
    #expect(
      await run(
        "bitmap send --to unix:x.sock --mapping disk0/b=A/B --mapping disk0/c=A/C --timeout 5 "
          + "--machine-type q35 --note why") == .done)
    let id = "bitmap-send-20261121-041029-00ab"
    #expect(
      run.endpoint.arguments(of: "migrate") == [
        "uri": "unix:/work dir/x.sock", "x-machine-type": "q35", "x-timeout": 5,
        "x-job-id": .string(id), "x-note": "why", "x-block-bitmap-mapping": mapping,
        "x-bitmaps": true,
      ])
    #expect(run.out.text.hasPrefix("\(id)\nSent 0 bitmaps to unix:/work dir/x.sock in "))
  }

  @Test("receive becomes QMP's migrate-incoming") func receive() async throws {
    let run = Run()
    #expect(
      await run(
        "bitmap receive --from tcp:localhost:4444 --ignore-unknown --job-id r --json") == .done)
    #expect(
      run.endpoint.arguments(of: "migrate-incoming") == [
        "uri": "tcp:localhost:4444", "x-ignore-unknown": true, "x-job-id": "r", "x-bitmaps": true,
      ])
    #expect(try run.jsonLines().last?["return"]?.text("id") == "r")
    #expect(run.err.text.contains("waiting for a sender at tcp:localhost:4444"))
  }

  @Test("transfer names the other machine, and both sides are followed") func transfer() async {
    let run = Run()
    #expect(await run("-m web01 bitmap transfer --to-machine web02 --ignore-unknown") == .done)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-bitmap-transfer") == [
        "to-machine": "web02", "ignore-unknown": true,
        "job-id": "bitmap-transfer-20261121-041029-00ab",
      ])
  }

  @Test("a job that fails ends with its own exit code and sentence") func fails() async {
    let run = Run(FakeEndpoint(.fails("it does not fit", exitCode: 9)))
    #expect(await run("bitmap receive --from file:/x") == .refused)
    #expect(run.err.text.hasSuffix("snapjob: it does not fit\n"))
  }

  @Test(
    "a mapping that is none is refused before anything begins",
    arguments: [("disk0=A", Int32(9)), ("[", 9), ("5.json", 4), (#"{"x":1}"#, 9)])
  func mapping(text: String, code: Int32) async {
    let run = Run()
    #expect(await run(["bitmap", "send", "--to", "file:x", "--mapping", text]).rawValue == code)
    #expect(run.endpoint.calls.isEmpty)
  }

  @Test(
    "where to is not optional", arguments: ["bitmap send", "bitmap receive", "bitmap transfer"])
  func usage(line: String) async {
    #expect(await Run()(line) == .usage)
  }
}
