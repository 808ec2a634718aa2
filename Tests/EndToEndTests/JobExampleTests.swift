import TestOracles
import Testing

/// The files of `jobs/` and `packaging/`, run as their readers run them.
@Suite("Examples") struct JobExampleTests {
  private let program: Program

  init() throws {
    program = try Program()
    try Command.run(
      "sh", ["-c", "cp \"$1\"/jobs/*.yaml .", "sh", Examples.root],
      directory: program.directory.path)
    for name in ["web01-root", "web01-data", "db01-root"] {
      try QemuImg.create(program.path("\(name).qcow2"), size: "1M")
    }
  }

  private func tags(_ name: String) throws -> [String] {
    try QemuImg.snapshotNames(program.path("\(name).qcow2"))
  }

  @Test("the nightly job keeps the last seven of its snapshots, and the others")
  func nightly() throws {
    try program.run("run", "nightly.yaml")
    for number in 1...8 {
      try program.run("-m", "web01", "save", "--tag", "nightly-\(number)")
    }
    try program.run("-m", "web01", "save", "--tag", "other")
    try program.run("run", "nightly.yaml")
    for disk in ["web01-root", "web01-data"] {
      #expect(try tags(disk).count { $0.hasPrefix("nightly-") } == 7)
      #expect(try tags(disk).contains("other"))
      #expect(try QemuImg.check(program.path("\(disk).qcow2")).isClean)
    }
  }

  @Test(
    "an upgrade is undone and what it did is kept, of a running machine as well",
    arguments: [false, true])
  func upgrade(isRunning: Bool) throws {
    let disk = program.path("web01-root.qcow2")
    try QemuIO.write(1, at: 0, length: 65536, in: disk)
    let before = try QemuImg.contentDigest(disk)
    let vm = isRunning ? try startMachine() : nil
    try program.run("run", "before-upgrade.yaml")
    if isRunning {
      try program.run("-m", "web01", "qmp", "human-monitor-command", Examples.guestWrite(2, at: 0))
    } else {
      try QemuIO.write(2, at: 0, length: 65536, in: disk)
    }
    // Another upgrade, while the first one is not over: the way back stays the one that it was.
    #expect(try program.attempt(["run", "before-upgrade.yaml"]).status == 5)
    try program.run("run", "undo-upgrade.yaml")
    try vm?.quit()

    let names = try tags("web01-root")
    #expect(names.count == 2 && names.first == "before-upgrade")
    let failed = try #require(names.last)
    #expect(failed.hasPrefix("failed-upgrade-2"))
    #expect(try tags("web01-data") == names)
    #expect(try QemuImg.contentDigest(disk) == before)
    #expect(try QemuImg.contentDigest(disk, snapshot: failed) != before)
    #expect(try QemuImg.check(disk).isClean)
  }

  @Test("after an upgrade its snapshot goes and the next can begin; others' snapshots stay")
  func upgradeOver() throws {
    try program.run("run", "before-upgrade.yaml")
    try program.run("run", "undo-upgrade.yaml")
    let others = ["failed-upgrade-mine", "before-upgrade-mine"]
    for tag in others { try program.run("-m", "web01", "save", "--tag", tag) }
    for number in 1...2 {
      try program.run("-m", "web01", "save", "--tag", "failed-upgrade-2026-01-01-00000\(number)")
    }
    let failed = try tags("web01-root").filter { $0.hasPrefix("failed-upgrade-2") }
    try program.run("run", "after-upgrade.yaml")
    try program.run("run", "after-upgrade.yaml")
    #expect(try Set(tags("web01-root")) == Set(others + failed.suffix(2)))
    try program.run("run", "before-upgrade.yaml")
    for disk in ["web01-root", "web01-data"] {
      #expect(try tags(disk).contains("before-upgrade"))
      #expect(try QemuImg.check(program.path("\(disk).qcow2")).isClean)
    }
  }

  /// Starts web01 in QEMU and registers it.
  private func startMachine() throws -> QemuVM {
    let monitor = "unix:\(program.path("web01.qmp"))"
    let vm = try QemuVM(
      ["root", "data"].map { .init($0, program.path("web01-\($0).qcow2")) }, isRunning: true,
      arguments: ["-qmp", "\(monitor),server=on,wait=off"])
    try program.run("machine", "add", "web01", "--qmp", monitor)
    return vm
  }

  @Test("two machines are saved as one")
  func pair() throws {
    try program.run("run", "two-machines.yaml")
    let names = try tags("db01-root")
    #expect(names.count == 1)
    #expect(try tags("web01-root") == names)
  }

  @Test("the shell script polls its job to the end, and tells of a failure")
  func polling() throws {
    try program.run("node", "add", "root", "web01-root.qcow2")
    let script = Examples.path("jobs/poll-jobs.sh")
    let first = try program.shell("\"$1\" polled", script)
    #expect(first.status == 0, "\(first.failure())")
    #expect(first.text.contains(": concluded, "))
    #expect(first.text.contains("\"bytes-written\""))
    let second = try program.shell("\"$1\" polled", script)
    #expect(second.status == 1)
    #expect(second.standardError.contains("polled"))
    #expect(try tags("web01-root") == ["polled"])
  }

  @Test("the backup script copies what has changed, and what it restores is the disk")
  func incrementalBackup() throws {
    try program.run("node", "add", "root", "web01-root.qcow2")
    let disk = program.path("web01-root.qcow2")
    let script = Examples.path("jobs/incremental-backup.sh")
    func backUp() throws -> String {
      let result = try program.shell("\"$1\" root web01-root.qcow2 backup", script)
      guard result.status == 0 else { throw result.failure() }
      return result.text
    }
    func expectRestored() throws {
      let result = try program.shell("\"$1\" --restore backup restored.raw", script)
      #expect(result.status == 0, "\(result.failure())")
      #expect(
        try Command.sha256(ofFile: program.path("restored.raw"))
          == QemuImg.contentDigest(disk))
    }
    try QemuIO.run(["write -P 1 0 300k"], on: disk)
    #expect(try backUp() == "full backup: 1048576 bytes\n")
    try expectRestored()
    try QemuIO.run(["write -P 2 640k 64k"], on: disk)
    #expect(try backUp() == "incremental backup: 65536 bytes\n")
    try expectRestored()

    // A load is a change like others, and so is another size.
    try program.run("save", "--tag", "old", "--device", "root")
    try QemuIO.run(["write -P 3 64k 128k"], on: disk)
    try QemuImg.resize(disk, to: "2M")
    #expect(try backUp().hasPrefix("incremental backup: "))
    try expectRestored()
    try program.run("load", "--tag", "old", "--device", "root", "--yes")
    #expect(try backUp() == "incremental backup: 131072 bytes\n")
    try expectRestored()

    // A run that died has left its ranges behind.
    try QemuIO.run(["write -P 4 0 64k"], on: disk)
    try program.run("bitmap", "add", "root", "backup-now", "--disabled")
    try program.run("bitmap", "merge", "root", "backup-now", "backup")
    try program.run("bitmap", "clear", "root", "backup")
    #expect(try backUp() == "incremental backup: 65536 bytes\n")
    try expectRestored()
    #expect(try backUp() == "incremental backup: 0 bytes\n")
    #expect(try QemuBitmaps.list(disk).keys.sorted() == ["backup"])
    #expect(try tags("web01-root") == ["old"])
    #expect(try QemuImg.check(disk).isClean)
  }

  @Test("systemd finds nothing wrong with the units")
  func units() throws {
    guard (try? Command.attempt("systemd-analyze", ["--version"]).status) == 0 else {
      print("left out: systemd-analyze is not here")
      return
    }
    // The program need not be installed, and templates are judged by an instance.
    let result = try program.shell(
      """
      for file in "$1"/packaging/*.service "$1"/packaging/*.socket "$1"/packaging/*.timer; do
        name=$(basename "$file")
        sed 's|/usr/local/bin/snapjob|/bin/true|' "$file" > "$name"
        case $name in
          *@.*) cp "$name" "${name%%@*}@web01.${name##*.}"; name=${name%%@*}@web01.${name##*.} ;;
        esac
        units="$units $PWD/$name"
      done
      SYSTEMD_UNIT_PATH=$PWD: exec systemd-analyze verify --man=no $units
      """, Examples.root)
    #expect(result.status == 0 && result.standardError.isEmpty, "\(result.failure())")
  }
}
