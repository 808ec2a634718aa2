import Qcow2
import TestOracles
import Testing

/// Where images lie: block devices, and file systems that are full.
@Suite("Storage") struct StorageTests {
  /// Runs a command on an image and expects success.
  private func run(_ program: Program, _ arguments: [String], on path: String) throws {
    let result = try program.attempt(arguments + ["--file", path])
    guard result.status == 0 else { throw result.failure() }
  }

  @Test(
    "a disk on a block device is saved, loaded, replaced and deleted, and the device keeps its size",
    .enabled(if: LoopDevice.isPossible, "needs root and a free loop device"),
    arguments: [["compat=1.1"], ["compat=0.10"], ["cluster_size=4096"]])
  func blockDevice(options: [String]) throws {
    let program = try Program()
    let size = Int64(16 << 20)
    let device = try LoopDevice(in: program.directory, size: size)
    let path = device.path
    try QemuImg.create(path, size: "4M", options: options)
    try QemuIO.write(1, at: 0, length: 1 << 20, in: path)
    let first = try QemuImg.contentDigest(path)
    let expectClean = {
      let check = try QemuImg.check(path)
      #expect(check.isClean, "\(check.text)")
      #expect(try program.run("check", path).status == 0)
      #expect(try PosixFile(opening: path, .read).length() == size)
    }
    try run(program, ["save", "--tag", "a"], on: path)
    try expectClean()
    try QemuIO.write(2, at: 500_000, length: 1 << 20, in: path)
    let second = try QemuImg.contentDigest(path)
    try run(program, ["load", "--tag", "a", "--save-current", "b", "--yes"], on: path)
    try expectClean()
    #expect(try QemuImg.contentDigest(path) == first)
    #expect(try QemuImg.contentDigest(path, snapshot: "b") == second)
    try run(program, ["save", "--tag", "a", "--replace"], on: path)
    try run(program, ["load", "--tag", "b", "--yes"], on: path)
    try expectClean()
    #expect(try QemuImg.contentDigest(path) == second)
    #expect(try QemuImg.contentDigest(path, snapshot: "a") == first)
    try run(program, ["delete", "--tag", "a", "b", "--yes"], on: path)
    try expectClean()
    #expect(try QemuImg.contentDigest(path) == second)
    try QemuIO.write(3, at: 0, length: 2 << 20, in: path)
    try expectClean()
  }

  @Test(
    "a version 2 disk on a block device takes part in jobs with other disks, also in killed ones",
    .enabled(if: LoopDevice.isPossible, "needs root and a free loop device"))
  func version2() throws {
    let program = try Program()
    let device = try LoopDevice(in: program.directory, size: 4 << 20)
    let other = program.path("other.qcow2")
    try QemuImg.create(device.path, size: "4M", options: ["compat=0.10"])
    try QemuImg.create(other, size: "4M")
    let files = ["--file", other, device.path]
    #expect(try program.attempt(["save", "--tag", "t"] + files).status == 0)
    for stop in ["after-fence:2", "after-record"] {
      let killed = try program.attempt(["save", "--tag", "u"] + files, stopAt: stop)
      #expect(killed.status == 137)
      for path in [device.path, other] {
        let check = try QemuImg.check(path)
        #expect(check.text.contains("snapjob commit pending: run snapjob recover"), "\(check.text)")
      }
      try program.run("recover")
      for path in [device.path, other] {
        #expect(try QemuImg.snapshotNames(path) == (stop == "after-record" ? ["t", "u"] : ["t"]))
        #expect(try QemuImg.check(path).isClean)
      }
    }
  }

  @Test(
    "a save on a block device without room ends with code 12, and the image is as it was",
    .enabled(if: LoopDevice.isPossible, "needs root and a free loop device"))
  func fullDevice() throws {
    let program = try Program()
    let device = try LoopDevice(in: program.directory, size: 3 << 20)
    let path = device.path
    try QemuImg.create(path, size: "4M")
    // Five clusters of metadata, data, and one cluster left.
    try QemuIO.write(1, at: 0, length: 42 << 16, in: path)
    let before = try GuestContent(readBy: device)
    let result = try program.attempt(["save", "--tag", "a", "--file", path])
    #expect(result.status == 12, "\(result.failure())")
    #expect(result.standardError.contains(path), "\(result.standardError)")
    let isAsBefore = try GuestContent(readBy: device) == before
    #expect(isAsBefore)
    #expect(try QemuImg.check(path).isClean)
    #expect(try QemuImg.snapshotNames(path).isEmpty)
  }

  @Test(
    "a save on a full file system ends with code 12, and the image is as it was",
    .enabled(if: SmallFileSystem.isPossible, "needs the right to mount a tmpfs"),
    arguments: [0, 4096, 8192, 16384])
  func fullFileSystem(room: Int) throws {
    let program = try Program()
    let fileSystem = try SmallFileSystem(size: 4 << 20)
    let path = "\(fileSystem.path)/disk.qcow2"
    try QemuImg.create(path, size: "2M", options: ["cluster_size=4096"])
    try QemuIO.write(1, at: 0, length: 1 << 20, in: path)
    try QemuImg.createSnapshot("old", in: path)
    try QemuIO.write(2, at: 4096, length: 8192, in: path)
    // Two images in one set: the other one has room, and is undone with it.
    let other = program.path("other.qcow2")
    try QemuImg.create(other, size: "2M")
    try QemuIO.write(3, at: 0, length: 65536, in: other)
    let states = {
      [
        try QemuImg.contentDigest(path), try QemuImg.contentDigest(path, snapshot: "old"),
        try QemuImg.contentDigest(other),
      ]
    }
    let before = try states()
    try Command.run(
      "sh",
      [
        "-c",
        """
        cat /dev/zero > "$1" 2> /dev/null
        truncate -s "-$2" "$1"
        """, "sh", "\(fileSystem.path)/filler", "\(room)",
      ])
    let result = try program.attempt(["save", "--tag", "t", "--file", other, path])
    #expect(result.status == 12, "\(result.failure())")
    #expect(result.standardError.contains(path), "\(result.standardError)")
    #expect(try states() == before)
    for path in [path, other] {
      #expect(try QemuImg.check(path).isClean)
      #expect(try program.run("check", path).status == 0)
    }
    #expect(try QemuImg.snapshotNames(path) == ["old"])
    #expect(try QemuImg.snapshotNames(other).isEmpty)
    // With room it works.
    try Command.run("rm", ["\(fileSystem.path)/filler"])
    try program.run("save", "--tag", "t", "--file", other, path)
    #expect(try QemuImg.check(path).isClean)
  }
}

extension GuestContent {
  /// All bytes of a device behind the header's first sector, which a mark changes.
  fileprivate init(readBy device: LoopDevice) throws {
    let file = try PosixFile(opening: device.path, .read)
    self.init(try file.read(byteCount: Int(file.length()) - 512, at: 512))
  }
}
