import Glibc
import SystemPackage
import TestOracles
import Testing

/// What a running machine is not asked for, and what becomes of it when it refuses by itself.
@Suite("Refusals of live machines") struct LiveRefusalTests {
  private let bench: LiveBench
  private var program: Program { bench.program }

  init() throws { bench = try LiveBench() }

  @Test(
    "a save whose memory has no room ends with code 12 before the machine is stopped",
    .enabled(if: SmallFileSystem.isPossible, "needs the right to mount a tmpfs"))
  func noRoom() throws {
    let fileSystem = try SmallFileSystem(size: 8 << 20)
    let path = "\(fileSystem.path)/disk.qcow2"
    try QemuImg.create(path, size: "4M")
    let vm = try QemuVM(
      [.init("root", path)], isRunning: true,
      arguments: ["-qmp", "unix:\(bench.monitor),server=on,wait=off"])
    try bench.register()
    for more in [["--dry-run"], []] {
      let refused = try program.attempt(["-m", "vm1", "save", "--tag", "t"] + more)
      #expect(refused.status == 12, "\(refused.failure())")
      #expect(refused.standardError.contains("takes up to 33554432 bytes in \(path)"))
    }
    #expect(try vm.execute("query-status")["status"]?.string == "running")
    #expect(!vm.qmp.events.contains { $0["event"]?.string == "STOP" })
    try bench.run("save", "--tag", "disks", "--disk-only")
    try vm.quit()
    #expect(try QemuImg.snapshotNames(path) == ["disks"])
    #expect(try QemuImg.check(path).isClean)
  }

  @Test("what blocks migration is refused in QEMU's words before the machine is stopped")
  func blockers() throws {
    let vm = try bench.start(["-device", "nvme,serial=1"])
    try bench.register()
    let save = try bench.attempt("save", "--tag", "t")
    #expect(save.status == 9 && save.standardError.contains("nvme"), "\(save.failure())")
    try bench.run("save", "--tag", "disks", "--disk-only")
    #expect(!vm.qmp.events.contains { $0["event"]?.string == "STOP" })
    try vm.quit()

    // A snapshot with memory, made before the machine had the device.
    let before = try bench.start()
    try bench.run("save", "--tag", "t")
    try before.quit()
    let after = try bench.start(["-device", "nvme,serial=1"])
    let load = try bench.attempt("load", "--tag", "t", "--yes")
    #expect(load.status == 9 && load.standardError.contains("nvme"), "\(load.failure())")
    #expect(try bench.status(after) == "running")
    try after.quit()
    #expect(try bench.tags() == [["disks", "t"], ["disks", "t"]])
    try bench.expectClean()
  }

  @Test("a running machine is told of no name that is no UTF-8")
  func bytesOfNames() throws {
    let vm = try bench.start()
    try bench.register()
    let result = try program.shell(
      """
      snapjob -m vm1 devices save "$(printf 's\\377.state')" > id; echo $?
      echo > "$(printf 'l\\377.state')"; snapjob -m vm1 devices load "$(printf 'l\\377.state')" > id; echo $?
      ls -b *state*
      """)
    #expect(result.text == "64\n64\nl\\377.state\n", "\(result.standardError)")
    #expect(result.standardError.contains(#"/s\xff.state is no UTF-8"#))
    #expect(try bench.status(vm) == "running")
    try vm.quit()
  }

  @Test("a running machine neither replaces nor saves while it loads, and says what to do instead")
  func twoSteps() throws {
    let vm = try bench.start()
    try bench.register()
    try bench.run("save", "--tag", "t")
    let replace = try bench.attempt("save", "--tag", "t", "--replace")
    #expect(replace.status == 5)
    #expect(replace.standardError.contains("Save under another tag, then: snapjob -m vm1 delete"))
    let both = try bench.attempt("load", "--tag", "t", "--save-current", "now", "--yes")
    #expect(both.status == 9)
    #expect(both.standardError.contains("Save first: snapjob -m vm1 save --tag now"))
    #expect(try bench.liveTags() == [["t"], ["t"]])
    try vm.quit()
  }

  @Test("xen-load-devices-state is not passed on to a running machine without force") func xenLoad()
    throws
  {
    let vm = try bench.start()
    try bench.register()
    let arguments = "{\"filename\": \"\(program.path("none"))\"}"
    let refused = try bench.attempt("qmp", "xen-load-devices-state", arguments)
    #expect(refused.status == 9 && refused.standardError.contains("--force"))
    // By force it gets as far as the file, which there is not: nothing that could end QEMU is read.
    let forced = try bench.attempt(
      "qmp", "xen-load-devices-state",
      "{\"filename\": \"\(program.path("none"))\", \"x-force\": true}")
    #expect(forced.status != 0 && !forced.standardError.contains("--force"))
    try vm.quit()
  }

  /// A monitor that hides from its client that disks have dirty bitmaps.
  private func startFilter(_ socket: String) throws -> ChildProcess {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    defer { try? null.close() }
    let script = """
      import contextlib, socket, sys, threading

      front = socket.socket(socket.AF_UNIX)
      front.bind(sys.argv[2])
      front.listen()
      while True:
          client, _ = front.accept()
          back = socket.socket(socket.AF_UNIX)
          back.connect(sys.argv[1])

          def ask(client=client, back=back):
              with contextlib.suppress(OSError):
                  while data := client.recv(65536):
                      back.sendall(data)
                  back.shutdown(socket.SHUT_RDWR)

          threading.Thread(target=ask, daemon=True).start()
          # A client may go away before it has heard everything.
          with contextlib.suppress(OSError):
              for line in back.makefile("rb"):
                  client.sendall(line.replace(b"dirty-bitmaps", b"x-hidden"))
          back.close()
          client.close()
      """
    let filter = try ChildProcess(
      ["python3", "-c", script, bench.monitor, socket], input: null, output: null, error: null)
    while access(socket, F_OK) != 0, !filter.hasEnded() { usleep(10_000) }
    return filter
  }

  @Test("a machine that refuses a load goes on, unless it is to stay stopped")
  func refusedLoad() throws {
    let vm = try bench.start()
    let filter = try startFilter(program.path("filter.qmp"))
    defer { filter.kill() }
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(program.path("filter.qmp"))")
    try bench.run("save", "--tag", "t")
    try bench.write(vm, 7)
    try vm.execute("block-dirty-bitmap-add", #"{"node": "root", "name": "b0"}"#)
    let load = try bench.attempt("load", "--tag", "t", "--yes")
    #expect(load.status == 1, "\(load.failure())")
    #expect(
      load.standardError.contains("active dirty bitmaps. Nothing was changed; the machine goes on"))
    #expect(try bench.status(vm) == "running")
    let stopped = try bench.attempt("load", "--tag", "t", "--yes", "--no-resume")
    #expect(stopped.standardError.contains("Nothing was changed; the machine is stopped"))
    #expect(try bench.status(vm) == "restore-vm")
    #expect(try bench.begins(vm, with: 7))
    try vm.quit()
    try bench.expectClean()
  }
}
