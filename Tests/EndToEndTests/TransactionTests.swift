import TestOracles
import Testing

/// `transaction` from the command line: all or nothing.
@Suite struct TransactionTests {
  private func save(_ id: String, _ node: String, tag: String = "t") -> String {
    """
    {"type": "snapshot-save",
     "data": {"job-id": "\(id)", "tag": "\(tag)", "vmstate": "\(node)", "devices": ["\(node)"]}}
    """
  }

  private func grouped(_ actions: String...) -> String {
    """
    {"actions": [\(actions.joined(separator: ", "))],
     "properties": {"completion-mode": "grouped"}}
    """
  }

  @Test func aGroupIsWaitedForAndDoneOnAllDisks() throws {
    let program = try Program()
    try program.makeDisks()
    let result = try program.run(
      "qmp", "transaction", grouped(save("a", "disk0", tag: "x"), save("b", "disk1", tag: "y")))
    #expect(result.text == "{\"return\": {}}\n")
    #expect(try program.tags() == [["x"], ["y"]])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test func aFailureOfOneIsToldAndUndoesTheOther() throws {
    let program = try Program()
    try program.makeDisks()
    try QemuImg.createSnapshot("t", in: program.path("disk1.qcow2"))
    let result = try program.attempt([
      "qmp", "transaction", grouped(save("b", "disk1"), save("a", "disk0")),
    ])
    #expect(result.status == 5, "\(result.failure())")
    #expect(try program.tags() == [[], ["t"]])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test func aRefusalStartsNothing() throws {
    let program = try Program()
    try program.makeDisks()
    let result = try program.attempt([
      "qmp", "transaction", grouped(save("a", "disk0"), #"{"type": "abort", "data": {}}"#),
    ])
    #expect(result.status == 1, "\(result.failure())")
    #expect(try program.tags() == [[], []])
    #expect(try program.run("query-jobs", "--history", "--json").text == "[]\n")
  }
}
