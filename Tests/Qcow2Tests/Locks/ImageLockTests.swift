import Qcow2
import TestOracles
import Testing

@Suite struct ImageLockTests {
  let directory: TemporaryDirectory
  let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("disk.qcow2")
    try QemuImg.create(path, size: "1M")
  }

  private func lock(_ mode: ImageLock.Mode) throws -> ImageLock {
    try ImageLock.acquire(mode, on: PosixFile(opening: path, .readWrite))
  }

  private func refusal(_ mode: ImageLock.Mode) throws -> Qcow2Error {
    let error = #expect(throws: Qcow2Error.self) { try lock(mode) }
    return try #require(error)
  }

  @Test func `A virtual machine is named by program, process and its name`() throws {
    let vm = try QemuVM([.init("disk0", path)], name: "guest=web01,debug-threads=on")
    let error = try refusal(.write)
    #expect(error.code == .inUse)
    let holder = "qemu-system-x86_64 (pid \(vm.process.pid), -name web01)"
    #expect(error.holder?.description == holder)
    #expect(error.description.hasPrefix("\(path) is in use by \(holder). "))
    #expect(error.description.contains("Failed to get \"write\" lock"))
    #expect(try refusal(.read).holder?.processes.first?.machineName == "web01")
    try lock(.peek).release()
    try vm.quit()
    try lock(.write).release()
  }

  @Test func `A machine without a name is named by its process`() throws {
    let vm = try QemuVM([.init("disk0", path, hasDevice: false)])
    #expect(
      try refusal(.write).holder?.description == "qemu-system-x86_64 (pid \(vm.process.pid))")
    vm.kill()
    try lock(.write).release()
  }

  @Test func `A program that reads excludes writing, not reading and peeking`() throws {
    let reader = try QemuIO.hold(path, flags: ["-r"])
    let error = try refusal(.write)
    #expect(error.holder?.processes.map(\.program) == ["qemu-io"])
    #expect(error.description.contains("Failed to get \"write\" lock"))
    try lock(.read).release()
    try lock(.peek).release()
    reader.close()
    try lock(.write).release()
  }

  @Test func `A program that only peeks excludes nobody`() throws {
    let peeker = try QemuIO.hold(path, flags: ["-r", "-U"])
    try lock(.write).release()
    peeker.close()
  }

  @Test func `A storage daemon that writes excludes reading`() throws {
    let daemon = try QemuStorageDaemon([.init("disk0", path)])
    let error = try refusal(.read)
    #expect(error.holder?.processes.map(\.pid) == [daemon.process.pid])
    #expect(error.description.contains("Failed to get shared \"write\" lock"))
    try daemon.quit()
  }

  @Test func `Our write lock keeps qemu's programs out`() throws {
    let ours = try lock(.write)
    let info = try Command.attempt("qemu-img", ["info", path])
    #expect(info.status == 1)
    #expect(info.standardError.contains("Failed to get shared \"write\" lock"))
    #expect(throws: OracleError.self) { try QemuIO.write(1, at: 0, length: 512, in: path) }
    #expect(throws: OracleError.self) { try QemuVM([.init("disk0", path)]) }
    #expect(throws: Never.self) { try QemuImg.info(path, forceShare: true) }
    ours.release()
    try QemuIO.write(1, at: 0, length: 512, in: path)
  }

  @Test func `Our read lock lets qemu's programs read, not write`() throws {
    let ours = try lock(.read)
    _ = try QemuImg.info(path)
    #expect(throws: OracleError.self) { try QemuIO.write(1, at: 0, length: 512, in: path) }
    ours.release()
  }

  @Test func `Our peek lets qemu's programs write`() throws {
    let ours = try lock(.peek)
    try QemuIO.write(1, at: 0, length: 512, in: path)
    ours.release()
  }

  @Test(
    arguments: [
      (ImageLock.Mode.write, ImageLock.Mode.write, false), (.write, .read, false),
      (.read, .write, false), (.read, .read, true), (.write, .peek, true), (.peek, .write, true),
    ])
  func `Two locks of one process exclude each other like any two`(
    first: ImageLock.Mode, second: ImageLock.Mode, isAllowed: Bool
  ) throws {
    let held = try lock(first)
    if isAllowed {
      try lock(second).release()
    } else {
      #expect(try refusal(second).code == .inUse)
    }
    held.release()
    try lock(second).release()
  }

  @Test func `A refused lock leaves nothing locked`() throws {
    let held = try lock(.read)
    let file = try PosixFile(opening: path, .readWrite)
    #expect(throws: Qcow2Error.self) { try ImageLock.acquire(.write, on: file) }
    held.release()
    try lock(.write).release()
    withExtendedLifetime(file) {}
  }

  @Test func `A lock that nobody keeps is gone`() throws {
    _ = try lock(.write)
    try lock(.write).release()
  }

  @Test func `Patience outlasts the holder and names it once`() async throws {
    let held = try lock(.write)
    let file = try PosixFile(opening: path, .readWrite)
    var notices: [String] = []
    var questions = 0
    let lock = try ImageLock.acquire(
      .write, on: file, patience: .seconds(600), notice: { notices.append($0.description) },
      isCancelled: {
        questions += 1
        if questions == 3 { held.release() }
        return false
      })
    #expect(notices.count == 1)
    #expect(notices.first?.contains("(pid ") == true)
    lock.release()
  }

  @Test func `Patience ends when the job is cancelled, and when it runs out`() throws {
    let held = try lock(.write)
    let file = try PosixFile(opening: path, .readWrite)
    let cancelled = #expect(throws: Qcow2Error.self) {
      try ImageLock.acquire(.write, on: file, patience: .seconds(600), isCancelled: { true })
    }
    #expect(cancelled?.code == .inUse)
    let expired = #expect(throws: Qcow2Error.self) {
      try ImageLock.acquire(.write, on: file, patience: .milliseconds(120))
    }
    #expect(expired?.code == .inUse)
    held.release()
  }
}
