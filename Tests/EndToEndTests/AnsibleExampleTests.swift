import TestOracles
import Testing

/// `jobs/ansible-upgrade.yaml`, played by Ansible.
@Suite("Upgrade by Ansible") struct AnsibleExampleTests {
  private let bench: LiveBench
  private var program: Program { bench.program }
  private var disk: String { program.path("disk0.qcow2") }

  init() throws {
    bench = try LiveBench()
    try Command.run("cp", [Examples.path("jobs/ansible-upgrade.yaml"), program.directory.path])
    try program.write(
      """
      - hosts: localhost
        connection: local
        gather_facts: false
        vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
        tasks:
          - ansible.builtin.include_tasks: ansible-upgrade.yaml
            vars:
              snapjob_machine: vm1
              snapjob_tag: before-upgrade
              snapjob_upgrade_tasks: upgrade.yaml
            when: is_outdated | default(true) | bool
      """, to: "site.yaml")
  }

  /// What the machine does meanwhile.
  enum MachineState: CaseIterable {
    case off, running, paused
  }

  @Test(
    "a failed upgrade fails the play, and what it did is taken back, but nothing from before it",
    arguments: MachineState.allCases)
  func failure(_ state: MachineState) throws {
    let vm = try start(state)
    let good = try play(write(3, at: 0, state))
    #expect(good.status == 0 && good.changed == 2, "\(good.text)")
    if state == .off {
      try QemuIO.write(4, at: 2 << 20, length: 65536, in: disk)
    } else {
      try bench.run("qmp", "human-monitor-command", Examples.guestWrite(4, at: 2 << 20))
    }
    let bad = try play(write(5, at: 0, state) + Self.fail)
    #expect(bad.status != 0 && bad.failed == 1 && bad.changed == 4, "\(bad.text)")
    #expect(bad.text.contains("The upgrade of vm1 failed at 'break': "))
    #expect(bad.text.contains("Saved \\\"before-upgrade-2"))
    #expect(bad.text.contains("Loaded \\\"before-upgrade-2"))
    if let vm {
      #expect(try bench.status(vm) == (state == .paused ? "prelaunch" : "running"))
      try vm.quit()
    }
    try QemuIO.run(["read -P 3 0 65536", "read -P 4 \(2 << 20) 65536"], on: disk)
    let tags = try bench.tags()
    #expect(tags[0].count == 3 && tags[1] == tags[0])
    #expect(tags[0].allSatisfy { $0.hasPrefix("before-upgrade-2") })
    #expect(tags[0][2] == "\(tags[0][1])-failed")
    let failed = try QemuImg.contentDigest(disk, snapshot: tags[0][2])
    #expect(try QemuImg.contentDigest(disk) == QemuImg.contentDigest(disk, snapshot: tags[0][1]))
    #expect(try QemuImg.contentDigest(disk) != failed)
    try bench.expectClean()
  }

  @Test("without a need for the upgrade nothing is saved, and nothing has changed")
  func noNeed() throws {
    try start(.off)
    let play = try play(write(3, at: 0), "-e", "is_outdated=false")
    #expect(play.status == 0 && play.changed == 0, "\(play.text)")
    #expect(try bench.tags() == [[], []])
  }

  @Test("in check mode nothing changes, whether the upgrade would fail or not")
  func checkMode() throws {
    try start(.off)
    let before = try program.digests()
    let good = try play(write(3, at: 0), "--check")
    #expect(good.status == 0 && good.changed == 0, "\(good.text)")
    let bad = try play("- ansible.builtin.fail: {msg: boom}\n", "--check")
    #expect(bad.status != 0 && bad.changed == 0, "\(bad.text)")
    #expect(bad.text.contains("The upgrade of vm1 failed at 'upgrade.yaml': boom."))
    #expect(try program.digests() == before)
    #expect(try bench.tags() == [[], []])
  }

  @Test("as many runs' snapshots stay as asked for, and all that are not of such a run")
  func keep() throws {
    try start(.off)
    let others = ["before-upgrade", "before-upgrade-mine", "before-upgrade-2026-01-01-000000"]
    for tag in others.dropLast() { try bench.run("save", "--tag", tag) }
    for disk in program.disks { try QemuImg.createSnapshot(others[2], in: program.path(disk)) }
    try play(Self.fail, "-e", "snapjob_keep=1")
    let first = try #require(bench.tags()[0].dropLast().last)
    let second = try play(Self.fail, "-e", "snapjob_keep=1")
    #expect(second.changed == 4, "\(second.text)")
    // What went wrong is counted by itself, and the second run's was not there yet.
    let kept = try bench.tags()[0]
    #expect(kept.count == 6 && kept.filter(others.contains).count == 3)
    #expect(!kept.contains(first) && kept.contains("\(first)-failed"))
    let third = try play(write(3, at: 0), "-e", "snapjob_keep=1")
    #expect(third.status == 0 && third.changed == 3, "\(third.text)")
    #expect(try bench.tags()[0].count == 5)
    #expect(try bench.tags()[0] == bench.tags()[1])
    try bench.expectClean()
  }

  @Test("a machine goes back even if what went wrong cannot be saved, and that is said")
  func withoutRoom() throws {
    try start(.off)
    let taken = """
      - ansible.builtin.command: snapjob -m vm1 save --tag {{ snapjob_snapshot }}-failed

      """
    let before = try program.digests()
    let play = try play(taken + write(3, at: 0) + Self.fail)
    #expect(play.status != 0 && play.changed == 4, "\(play.text)")
    #expect(play.text.contains("already exists"))
    #expect(play.text.contains("Loaded \\\"before-upgrade-2"))
    #expect(try program.digests() == before)
  }

  @Test("a machine that cannot be saved is neither upgraded nor taken back")
  func notSaved() throws {
    try start(.off)
    try play(write(3, at: 0))
    try QemuIO.write(4, at: 0, length: 65536, in: disk)
    try Command.run("mv", [program.path("disk1.qcow2"), program.path("away.qcow2")])
    let play = try play(write(5, at: 0))
    #expect(play.status != 0 && play.counts["rescued"] == 0 && play.changed == 0, "\(play.text)")
    try QemuIO.run(["read -P 4 0 65536"], on: disk)
  }

  // MARK: Plays

  private static let fail = "- {name: break, ansible.builtin.command: 'false'}\n"

  /// Registers the machine, which is in this state.
  @discardableResult private func start(_ state: MachineState) throws -> QemuVM? {
    let vm = state == .off ? nil : try bench.start(state == .paused ? ["-S"] : [])
    if vm != nil {
      try bench.register()
    } else {
      try program.run("machine", "add", "vm1", "--disk", "disk0.qcow2", "--disk", "disk1.qcow2")
    }
    return vm
  }

  /// A task that writes 64 KiB to the first disk.
  private func write(_ pattern: Int, at offset: Int, _ state: MachineState = .off) -> String {
    let words =
      state == .off
      ? "qemu-io, -f, qcow2, -c, 'write -P \(pattern) \(offset) 65536', '\(disk)'"
      : "snapjob, -m, vm1, qmp, human-monitor-command, '\(Examples.guestWrite(pattern, at: offset))'"
    return "- ansible.builtin.command: {argv: [\(words)]}\n"
  }

  /// Plays an upgrade.
  @discardableResult private func play(_ tasks: String, _ arguments: String...) throws -> Play {
    try program.write(tasks, to: "upgrade.yaml")
    return try Play(
      program.shell(
        """
        LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_HOME=$PWD/ansible \
        exec ansible-playbook -i localhost, site.yaml $1
        """, arguments.joined(separator: " ")))
  }
}

/// What Ansible said of a play.
private struct Play {
  let status: Int32
  let text: String
  /// The recap: `ok`, `changed`, `failed`, `rescued`, ….
  let counts: [String: Int]

  var changed: Int? { counts["changed"] }
  var failed: Int? { counts["failed"] }

  init(_ result: CommandResult) throws {
    status = result.status
    text = result.failure().description
    let recap = result.text.split(separator: "\n").last { $0.hasPrefix("localhost ") }
    let words = try #require(recap, "\(result.failure())").split(separator: " ")
    counts = Dictionary(
      uniqueKeysWithValues: words.compactMap { word in
        let parts = word.split(separator: "=")
        guard parts.count == 2, let count = Int(parts[1]) else { return nil }
        return (String(parts[0]), count)
      })
  }
}
