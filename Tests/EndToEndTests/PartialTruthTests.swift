import TestOracles
import Testing

/// What can be told is told: one image that cannot be read hides no other.
@Suite("Partial truth") struct PartialTruthTests {
  @Test("A missing image is named with its machine, and the others are told")
  func missingImage() throws {
    let program = try Program()
    for name in ["a", "b", "o"] { try QemuImg.create(program.path("\(name).qcow2"), size: "64M") }
    try program.run("machine", "add", "m1", "--disk", "d0=a.qcow2", "--disk", "d1=b.qcow2")
    try program.run("machine", "add", "m2", "--disk", "d1=o.qcow2")
    for machine in ["m1", "m2"] { try program.run("-m", machine, "save", "--tag", "u") }
    try program.removeFile("b.qcow2")

    let list = try program.attempt(["list", "-A"])
    #expect(list.status == 4)
    #expect(list.text.contains("m2") && list.text.contains("m1"))
    #expect(
      list.standardError.hasPrefix("snapjob: m1: d1: \(program.path("b.qcow2")): cannot open it"))
    let json = try JSONValue(parsing: program.attempt(["list", "-A", "--json"]).text)
    #expect(json.array?.map { $0["complete"]?.bool } == [false, true])

    let check = try program.attempt(["-m", "m1", "check"])
    #expect(check.status == 1)
    #expect(check.text.contains("No errors were found on the image."))
    #expect(check.standardError.contains("snapjob: d1: \(program.path("b.qcow2"))"))
    let named = try program.attempt(["-m", "m1", "check", "nothing", "d0"])
    #expect(named.status == 1)
    #expect(named.text.contains("No errors were found on the image."))
    #expect(named.standardError.contains("'nothing' is neither a node of the machine nor a file"))
    let verify = try program.attempt(["-m", "m1", "verify", "nothing", "d0"])
    #expect(verify.status == 4)
    #expect(verify.text.contains("d0: active: "))
    #expect(try program.attempt(["-m", "m1", "verify"]).status == 4)
    #expect(try program.run("node", "list", "-A").text.contains("o.qcow2"))
  }

  @Test("An excluded disk that is no qcow2 is left out wherever no disk is named")
  func excludedDisk() throws {
    let program = try Program()
    try program.makeDisks()
    try QemuImg.create(program.path("seed.img"), size: "1M")
    try program.run("node", "add", "seed", "seed.img")
    try program.run("machine", "set", "default", "--exclude", "seed")
    try program.write("no image", to: "seed.img")
    for tag in ["s1", "s2"] { try program.run("save", "--tag", tag) }
    for command in [
      ["list"], ["list", "--json"], ["list", "--sizes"], ["list", "-A"], ["check"], ["verify"],
      ["diff", "--from", "s1", "--to", "s2"], ["node", "list"], ["bitmap", "list", "disk0"],
      ["prune", "--match", "s*", "--keep-last", "1", "--dry-run"],
    ] {
      let result = try program.attempt(command)
      #expect(result.status == 0, "\(command): \(result.failure())")
      #expect(!result.text.contains("seed") || command == ["node", "list"])
    }
    #expect(try program.attempt(["list", "--device", "seed"]).status == 9)
  }

  @Test("A command of another machine's message acts on that machine")
  func followedHint() throws {
    let program = try Program()
    for name in ["def", "web", "extra"] {
      try QemuImg.create(program.path("\(name).qcow2"), size: "64M")
    }
    try program.run("node", "add", "disk0", "def.qcow2")
    try program.run("machine", "add", "web01", "--disk", "disk0=web.qcow2")
    try program.run("save", "--tag", "it's before")
    try program.run("-m", "web01", "save", "--tag", "it's before")
    for name in ["def", "web"] {
      try QemuIO.write(7, at: 0, length: 65536, in: program.path("\(name).qcow2"))
    }
    let work = try QemuImg.contentDigest(program.path("def.qcow2"))
    try program.run("-m", "web01", "node", "add", "data", "extra.qcow2")
    let load = try program.attempt(["-m", "web01", "load", "--tag", "it's before", "--yes"])
    #expect(load.status == 4)
    let words = load.standardError.dropLast().split(separator: "To load it on the others: ")
    let hint = try #require(words.last)
    // The machine's name comes from whoever prints it, or is in the message: here and in `job wait` alike.
    let job = try #require(load.text.split(separator: "\n").first)
    #expect(try program.attempt(["job", "wait", "\(job)"]).standardError.contains(hint))
    #expect(try program.shell("\(hint)").status == 0)
    #expect(try QemuImg.contentDigest(program.path("def.qcow2")) == work)
    #expect(try QemuImg.contentDigest(program.path("web.qcow2")) != work)
  }

  @Test("A message about the default machine names it where the environment names another")
  func defaultBesideTheEnvironment() throws {
    let program = try Program()
    for name in ["def", "web", "extra"] {
      try QemuImg.create(program.path("\(name).qcow2"), size: "64M")
    }
    try program.run("machine", "add", "web01", "--disk", "disk0=web.qcow2")
    try program.run("node", "add", "disk0", "def.qcow2")
    for machine in ["web01", "default"] { try program.run("-m", machine, "save", "--tag", "b") }
    try program.run("node", "add", "data", "extra.qcow2")
    let load = "SNAPJOB_MACHINE=web01 snapjob -m default load --tag b --yes"
    let refused = try program.shell(load)
    #expect(refused.status == 4)
    let hint = "snapjob -m default load --tag b --device disk0"
    #expect(refused.standardError.hasSuffix("on the others: \(hint)\n"))
    let job = try #require(refused.text.split(separator: "\n").first)
    for machine in ["web01", "default"] {
      let wait = try program.shell("SNAPJOB_MACHINE=\(machine) snapjob -m web01 job wait \(job)")
      let shown = machine == "web01" ? hint : "snapjob load --tag b --device disk0"
      #expect(wait.standardError.hasSuffix("on the others: \(shown)\n"))
    }
  }

  @Test("A repair that is recommended is one of the image that was checked")
  func repairHint() throws {
    let program = try Program()
    try QemuImg.create(program.path("d.qcow2"), size: "64M")
    try QemuImg.create(program.path("k.qcow2"), size: "64M")
    try program.run("node", "add", "d", "d.qcow2")
    try program.run("machine", "add", "web01", "--disk", "k=k.qcow2")
    // The refcount table's own cluster is counted as free: more is wrong than leaks.
    _ = try program.shell(
      "printf '\\000' | dd of=k.qcow2 bs=1 seek=131075 conv=notrunc status=none")
    let node = try program.attempt(["-m", "web01", "check", "--repair", "leaks"])
    #expect(node.standardError.hasSuffix("repair it with: snapjob -m web01 check k --repair all\n"))
    let file = try program.attempt(["check", "--repair", "leaks", "./k.qcow2"])
    let hint = "snapjob check \(program.path("k.qcow2")) --repair all"
    #expect(file.standardError.hasSuffix("repair it with: \(hint)\n"))
    _ = try program.shell(hint)
    #expect(try QemuImg.check(program.path("k.qcow2")).isClean)
  }

  @Test("A message about files names the files") func filesHint() throws {
    let program = try Program()
    for name in ["a", "b"] { try QemuImg.create(program.path("\(name).qcow2"), size: "64M") }
    try program.run("save", "--tag", "t", "--file", "a.qcow2")
    let digest = try QemuImg.contentDigest(program.path("a.qcow2"))
    try QemuIO.write(7, at: 0, length: 65536, in: program.path("a.qcow2"))
    let load = try program.attempt(["load", "--tag", "t", "--file", "a.qcow2", "b.qcow2"])
    #expect(load.status == 4)
    let hint = "snapjob load --tag t --file \(program.path("a.qcow2"))"
    #expect(load.standardError.hasSuffix("To load it on the others: \(hint)\n"))
    #expect(try program.shell(hint).status == 0)
    #expect(try QemuImg.contentDigest(program.path("a.qcow2")) == digest)
  }
}
