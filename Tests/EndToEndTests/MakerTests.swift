import TestOracles
import Testing

/// What counts as made by snapjob, and in which order, wherever an image turns up and whatever the clock says.
@Suite struct MakerTests {
  private let program: Program

  init() throws { program = try Program() }

  private func plan(_ arguments: String...) throws -> [String] {
    let words = ["prune", "--match", "n*", "--keep-last", "1", "--dry-run", "--json"]
    let result = try program.attempt(
      arguments.first == "-m" ? arguments + words : words + arguments)
    guard result.status == 0 else { throw result.failure() }
    return try JSONValue(parsing: result.text).array?.map {
      "\($0["action"]?.string ?? "?") \($0["tag"]?.string ?? "?")"
    } ?? []
  }

  private func expectClean(_ name: String) throws {
    #expect(try QemuImg.check(program.path(name)).isClean)
    #expect(try program.run("check", "./\(name)", "-q").status == 0)
  }

  @Test func `by file, node, machine, moved and copied`() throws {
    try QemuImg.create(program.path("a.qcow2"), size: "1M")
    for tag in ["n1", "n2", "n3"] {
      try program.run("save", "--tag", tag, "--file", "a.qcow2", "-q")
    }
    let all = ["remove n1", "remove n2", "keep n3"]
    try program.run("node", "add", "d", "a.qcow2")
    #expect(try plan() == all)
    try program.run("machine", "add", "web", "--disk", "x=a.qcow2")
    #expect(try plan("-m", "web") == all)
    try program.run("machine", "set", "web", "--rename", "x=y")
    #expect(try plan("-m", "web") == all)
    try program.shell("cp a.qcow2 copy.qcow2; mv a.qcow2 b.qcow2")
    for name in ["copy.qcow2", "b.qcow2"] {
      let moved = try program.attempt([
        "prune", "--match", "n*", "--keep-last", "1", "--file", name, "--yes", "-q",
      ])
      #expect(moved.status == 0, "\(moved.standardError)")
      #expect(try QemuImg.snapshotNames(program.path(name)) == ["n3"])
      try expectClean(name)
    }
  }

  @Test func `a save that recovery brought to its end counts`() throws {
    try QemuImg.create(program.path("a.qcow2"), size: "1M")
    try program.run("save", "--tag", "n1", "--file", "a.qcow2", "-q")
    let killed = try program.attempt(
      ["save", "--tag", "n2", "--file", "a.qcow2", "-q"], stopAt: "after-publish")
    #expect(killed.status != 0)
    try program.run("recover")
    #expect(try plan("--file", "a.qcow2") == ["remove n1", "keep n2"])
    // Another program's of the same name, in its place.
    try QemuImg.deleteSnapshot("n1", in: program.path("a.qcow2"))
    try QemuImg.createSnapshot("n1", in: program.path("a.qcow2"))
    #expect(try plan("--file", "a.qcow2") == ["keep n2", "keep n1"])
    try expectClean("a.qcow2")
  }

  @Test func `each job of a group that recovery brought to its end made its own`() throws {
    try program.makeDisks()
    func save(_ disk: String, note: String) -> String {
      #"""
      {"type": "snapshot-save", "data": {"job-id": "save-\#(disk)", "tag": "\#(disk)", \#
      "vmstate": "\#(disk)", "devices": ["\#(disk)"], "x-note": "\#(note)"}}
      """#
    }
    let group = """
      {"actions": [\(save("disk0", note: "first")), \(save("disk1", note: "second"))],
       "properties": {"completion-mode": "grouped"}}
      """
    let killed = try program.attempt(["qmp", "transaction", group], stopAt: "after-record")
    #expect(killed.status != 0)
    try program.run("recover")
    let list = try JSONValue(parsing: program.run("list", "--json").text).array ?? []
    #expect(list.map { $0["tag"]?.string ?? "" } == ["disk0", "disk1"])
    #expect(list.map { $0["note"]?.string ?? "" } == ["first", "second"])
    #expect(list.map { $0["job"]?.string ?? "" } == ["save-disk0", "save-disk1"])
    for disk in program.disks { try expectClean(disk) }
  }

  @Test func `a clock that ran ahead takes no place and no history`() throws {
    try QemuImg.create(program.path("a.qcow2"), size: "1M")
    try program.run("node", "add", "d", "a.qcow2")
    for tag in ["n1", "n2"] { try program.run("save", "--tag", tag, "-q") }
    for command in ["save --tag n3 -q", "query-jobs", "list", "catalog prune"] {
      let ahead = try program.shell("faketime -f +3y snapjob \(command)")
      #expect(ahead.status == 0, "\(ahead.standardError)")
    }
    for tag in ["n4", "n5"] { try program.run("save", "--tag", tag, "-q") }
    #expect(try program.jobStatuses().count == 5)
    #expect(
      try plan() == ["remove n1", "remove n2", "remove n3", "remove n4", "keep n5"])
    let list = try JSONValue(parsing: program.run("list", "--json").text).array
    #expect(list?.map { $0["tag"]?.string ?? "" } == ["n1", "n2", "n3", "n4", "n5"])
    try expectClean("a.qcow2")
  }
}
