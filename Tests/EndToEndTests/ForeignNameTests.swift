import TestOracles
import Testing

/// Snapshots of other programs whose names cannot be given as tags.
@Suite struct ForeignNameTests {
  private let program: Program
  private let image: String

  /// A disk with snapshots of the ids 1 to 5: empty, with a line break, no UTF-8, and two of one name.
  init() throws {
    program = try Program()
    image = program.path("a.qcow2")
    try QemuImg.create(image, size: "1M")
    try program.shell(
      """
      qemu-img snapshot -c '' a.qcow2
      qemu-io -c 'write -P 7 0 64k' a.qcow2 > written
      qemu-img snapshot -c "$(printf 'new\\nline')" a.qcow2
      qemu-img snapshot -c "$(printf 'lat\\351in')" a.qcow2
      qemu-img snapshot -c twin a.qcow2; qemu-img snapshot -c twin a.qcow2
      """)
    #expect(try ids() == ["1", "2", "3", "4", "5"])
  }

  private func ids() throws -> [String] {
    let info = try QemuImg.info(image)
    return info["snapshots"]?.array?.map { $0["id"]?.string ?? "" } ?? []
  }

  private func expectClean() throws {
    #expect(try QemuImg.check(image).isClean)
    #expect(try program.run("check", "./a.qcow2", "-q").status == 0)
  }

  @Test func `are loaded and deleted by their ids`() throws {
    let full = try QemuImg.contentDigest(image)
    try program.run("load", "--id", "1", "--file", "a.qcow2", "--yes", "-q")
    #expect(try QemuImg.contentDigest(image) != full)
    let loaded = try program.run("load", "--id", "3", "--file", "a.qcow2", "--yes")
    #expect(loaded.text.contains("Loaded the snapshot of id 3 on 1 disk (a)"))
    #expect(try QemuImg.contentDigest(image) == full)
    for id in ["2", "1", "3", "5"] {
      try program.run("delete", "--id", id, "--file", "a.qcow2", "--yes", "-q")
      try expectClean()
    }
    #expect(try ids() == ["4"])
    #expect(try QemuImg.contentDigest(image) == full)
    try program.run("load", "--tag", "twin", "--file", "a.qcow2", "--yes", "-q")
  }

  @Test func `are named by an id on one disk only`() throws {
    try QemuImg.create(program.path("b.qcow2"), size: "1M")
    try program.run("node", "add", "a", "a.qcow2")
    try program.run("node", "add", "b", "b.qcow2")
    let both = try program.attempt(["delete", "--id", "2", "--yes"])
    #expect(both.status == 64)
    #expect(both.standardError.contains("Name the one: --device NODE"))
    let missing = try program.attempt(["load", "--id", "9", "--device", "a", "--yes"])
    #expect(missing.status == 4)
    #expect(missing.standardError.contains("Snapshot of id 9 does not exist"))
    let twin = try program.attempt(["load", "--tag", "twin", "--device", "a", "--yes"])
    #expect(twin.status == 5)
    #expect(twin.standardError.contains("--id ID --device a"))
    for words in [["--id", "2", "--tag", "t"], ["--id", ""], []] {
      #expect(try program.attempt(["delete", "--device", "a", "--yes"] + words).status == 64)
      #expect(try program.attempt(["load", "--device", "a", "--yes"] + words).status == 64)
    }
    try program.run(
      "load", "--id", "1", "--device", "a", "--save-current", "kept", "--yes", "-q")
    try program.run("delete", "--id", "2", "--device", "a", "--yes", "-q")
    #expect(try ids() == ["1", "3", "4", "5", "6"])
    try expectClean()
  }

  @Test func `words that are no UTF-8 are refused, and no other file is taken for theirs`() throws {
    let result = try program.shell(
      """
      a=$(printf 'd\\377.qcow2'); b=$(printf 'd\\357\\277\\275.qcow2')
      cp a.qcow2 "$a"; cp a.qcow2 "$b"; before=$(sha256sum "$b")
      snapjob save --tag lossy --file "$a"; echo $?
      snapjob save --tag "$(printf 'x\\377')" --file a.qcow2; echo $?
      SNAPJOB_MACHINE="$(printf 'x\\377')" snapjob list; echo $?
      mkdir "$(printf 'dir\\377')" && cd "$(printf 'dir\\377')" && cp ../a.qcow2 . && mkdir -p "$(printf '../dir\\357\\277\\275')"
      snapjob save --tag t --file a.qcow2; echo $?
      cd ..; [ "$before" = "$(sha256sum "$b")" ] && ls "$(printf 'dir\\357\\277\\275')" && echo same
      """)
    #expect(result.text == "64\n64\n64\n64\nsame\n", "\(result.standardError)")
    #expect(result.standardError.contains(#"'d\xff.qcow2' is no UTF-8"#))
    #expect(try ids() == ["1", "2", "3", "4", "5"])
  }
}
