import Glibc
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

  @Test func `a file name is its bytes, whatever reads them, and no other file is taken for it`()
    throws
  {
    let result = try program.shell(
      """
      a=$(printf 'd\\377.qcow2'); b=$(printf 'd\\357\\277\\275.qcow2'); d=$(printf 'dir\\377')
      qemu-img create -q -f qcow2 "$a" 1M; cp "$a" "$b"; before=$(sha256sum < "$b")
      mkdir "$d"; mv "$a" "$d"; cd "$d"
      snapjob save -q --tag one --file "$a" > id; echo "file $?"
      snapjob save -q --tag one --file "$PWD/$a" > id; echo "again $?"
      snapjob job wait -q "$(snapjob save --tag two --detach --file "$a")"; echo "detached $?"
      snapjob machine add w --disk "disk0=$a" -q; snapjob -m w save -q --tag three > id; echo "machine $?"
      snapjob -m w load -q --tag one --yes > id && snapjob -m w delete -q --tag two > id; echo "changed $?"
      snapjob -m w verify > verified; echo "verified $?"; snapjob check "$a" > checked; echo "checked $?"
      c=$(printf 'c\\376.sqlite')
      snapjob --catalog "$PWD/$c" save -q --tag four --file "$a" > id; echo "catalog $?"
      sqlite3 "$c" 'PRAGMA integrity_check'
      snapjob -m w devices save "$(printf 'no\\377.state')" --tag one > id; echo "state $?"
      snapjob check "./no$a"; echo "missing $?"
      qemu-img snapshot -l "$a" | awk 'NR > 2 { print $2 }' | tr '\\n' ' '; qemu-img check -q "$a"; echo $?
      [ "$before" = "$(sha256sum < "../$b")" ] && LC_ALL=C ls -b . | tr '\\n' ' '
      """)
    #expect(
      result.text == """
        file 0
        again 5
        detached 0
        machine 0
        changed 0
        verified 0
        checked 0
        catalog 0
        ok
        state 4
        missing 1
        one three four 0
        checked c\\376.sqlite c\\376.sqlite.workers d\\377.qcow2 id verified\u{20}
        """, "\(result.standardError)")
    #expect(result.standardError.contains(#"dir\xff/nod\xff.qcow2"#))
  }

  @Test
  func
    `names that people or Swift may take for one are two, and a slash is one whatever follows it`()
    throws
  {
    let result = try program.shell(
      """
      m=$(printf '\\314\\201'); a=$(printf 'caf\\303\\251.qcow2'); b="cafe$m.qcow2"
      for disk in "$a" "$b" p q "${m}x.qcow2"; do qemu-img create -q -f qcow2 "$disk" 1M; done
      snapjob save -q --tag root --file "/${m}x.qcow2" > id; echo "root $?"
      qemu-img snapshot -l "${m}x.qcow2" | grep -c root
      snapjob machine add m --disk "n1=${m}x.qcow2" -q && snapjob -m m save -q --tag marked > id; echo "marked $?"
      snapjob machine add both --disk "n1=$a" --disk "n2=$b" -q; echo "both $?"
      snapjob -m both machine show both --json | grep -c n2
      printf 'machine: both\\ndisks: {n1: "%s"}\\njobs:\\n  - snapshot-save: {tag: f}\\n' "$b" > j.yaml
      snapjob run j.yaml > id; echo "job file $?"; qemu-img snapshot -l "$a" | grep -c ' f '
      SNAPJOB_STOP_AT=after-record snapjob save --tag one --file "$a" p > id
      SNAPJOB_CATALOG=$PWD/c2.sqlite SNAPJOB_STOP_AT=after-record snapjob save --tag two --file "$b" q > id
      qemu-img info "$b" 2>&1 | grep -o 'snapjob commit pending'
      snapjob recover --abandon --file "$b" > id; echo "abandoned $?"
      qemu-img check -q "$b"; echo "$?"; snapjob recover > id; echo "recovered $?"
      """)
    #expect(
      result.text == """
        root 4
        0
        marked 0
        both 0
        1
        job file 9
        0
        snapjob commit pending
        abandoned 0
        0
        recovered 0

        """, "\(result.standardError)")
  }

  @Test func `a server's clients name files by their bytes`() throws {
    let (server, client) = try program.serve()
    defer { server.send(signal: SIGTERM) }
    try program.shell(#"cp a.qcow2 "$(printf 'd\377.qcow2')""#)
    let path = program.path("") + "/" + #"d\udbff\udeff.qcow2"#
    try client.execute(
      "blockdev-add",
      #"{"driver": "qcow2", "node-name": "bytes", "file": {"driver": "file", "filename": "\#(path)"}}"#
    )
    try program.run("delete", "--id", "2", "--device", "bytes", "--yes", "-q")
    let left = try program.shell(
      #"qemu-img snapshot -l "$(printf 'd\377.qcow2')" | grep -ac ' '; snapjob node list --json"#)
    #expect(left.text.hasPrefix("6\n"), "\(left.text)")
    #expect(left.text.contains(#"d\uDBFF\uDEFF.qcow2"#), "\(left.text)")
  }

  @Test func `new names are UTF-8`() throws {
    let result = try program.shell(
      """
      x=$(printf 'x\\377')
      for words in "save --file a.qcow2 --tag" "load --yes --file a.qcow2 --tag" "bitmap add ./a.qcow2" "node add" "machine add"; do
        case $words in node*) set -- "$x" a.qcow2 ;; *) set -- "$x" ;; esac
        snapjob $words "$@" > out; echo $?
      done
      """)
    #expect(result.text == "64\n64\n64\n9\n64\n", "\(result.standardError)")
    #expect(result.standardError.contains("UTF-8"))
    #expect(try ids() == ["1", "2", "3", "4", "5"])
  }
}
