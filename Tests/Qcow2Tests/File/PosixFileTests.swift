import Glibc
import Qcow2
import SystemPackage
import TestOracles
import Testing

@Suite struct PosixFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `What was written is read back, and beyond the end there is nothing`() throws {
    let path = directory.path("file")
    let file = try PosixFile(creating: path)
    try file.write(Array(1...100), at: 0)
    try file.write([7, 8], at: 200)
    try file.synchronize()
    #expect(try file.length() == 202)
    #expect(try file.read(byteCount: 4, at: 98) == [99, 100, 0, 0])
    #expect(try file.readZeroPadded(byteCount: 4, at: 200) == [7, 8, 0, 0])
    var buffer = [UInt8](repeating: 9, count: 4)
    let count = try buffer.withUnsafeMutableBytes { try file.readAvailable(into: $0, at: 201) }
    #expect(count == 1)
    #expect(buffer == [8, 9, 9, 9])
    #expect(throws: Qcow2Error.self) { try file.read(byteCount: 3, at: 200) }
  }

  @Test func `A read beyond the end names the file and the offset`() throws {
    let path = directory.path("file")
    let file = try PosixFile(creating: path)
    let error = #expect(throws: Qcow2Error.self) { try file.read(byteCount: 1, at: 4096) }
    #expect(error?.code == .malformed)
    #expect(error?.description.hasPrefix("\(path), offset 0x1000: the file ends") == true)
  }

  @Test func `A hole gives its space back and reads as zeros`() throws {
    let file = try PosixFile(creating: directory.path("file"))
    try file.write([UInt8](repeating: 0xaa, count: 1 << 20), at: 0)
    try file.synchronize()
    let before = try file.allocatedByteCount()
    let done = try file.punchHole(at: 65536, length: 524288)
    #expect(try file.length() == 1 << 20)
    if done {
      #expect(try file.allocatedByteCount() <= before - 524288)
      #expect(try file.read(byteCount: 2, at: 65535) == [0xaa, 0])
      #expect(try file.read(byteCount: 2, at: 65536 + 524288 - 1) == [0, 0xaa])
    } else {
      #expect(try file.read(byteCount: 2, at: 65536) == [0xaa, 0xaa])
    }
  }

  @Test func `The length can be cut and extended by zeros`() throws {
    let file = try PosixFile(creating: directory.path("file"))
    try file.write([1, 2, 3], at: 0)
    try file.setLength(2)
    try file.setLength(4)
    #expect(try file.read(byteCount: 4, at: 0) == [1, 2, 0, 0])
  }

  @Test func `Two paths to one file have one identity, two files have two`() throws {
    let file = try PosixFile(creating: directory.path("file"))
    #expect(symlink(directory.path("file"), directory.path("link")) == 0)
    let same = try PosixFile(opening: directory.path("link"), .read)
    let other = try PosixFile(creating: directory.path("other"))
    #expect(same.identity == file.identity)
    #expect(other.identity != file.identity)
  }

  @Test func `The stamp changes with a write`() throws {
    let file = try PosixFile(creating: directory.path("file"))
    let before = try file.stamp()
    #expect(try file.stamp() == before)
    usleep(20_000)
    try file.write([1], at: 0)
    let after = try file.stamp()
    #expect(after.length == 1)
    #expect(after.modified > before.modified)
    #expect(after.changed > before.changed)
  }

  @Test func `A file that is not there, or is there already, is said so`() throws {
    let path = directory.path("file")
    let missing = #expect(throws: Qcow2Error.self) { try PosixFile(opening: path, .readWrite) }
    #expect(missing?.code == .notFound)
    #expect(missing?.cause == .noSuchFileOrDirectory)
    let beneath = #expect(throws: Qcow2Error.self) {
      _ = try PosixFile(creating: path)
      _ = try PosixFile(opening: path + "/x", .read)
    }
    #expect(beneath?.code == .notFound)
    let present = #expect(throws: Qcow2Error.self) { try PosixFile(creating: path) }
    #expect(present?.code == .conflict)
  }

  @Test(arguments: ["directory", "FIFO", "socket", "character device"])
  func `What is no file is refused by its name, without waiting`(kind: String) throws {
    let path = kind == "character device" ? "/dev/null" : directory.path("special")
    switch kind {
    case "directory": #expect(mkdir(path, 0o700) == 0)
    case "FIFO": #expect(mkfifo(path, 0o600) == 0)
    case "socket": try bindSocket(at: path)
    default: break
    }
    for mode in [FileMode.read, .readWrite] {
      let error = #expect(throws: Qcow2Error.self) { try PosixFile(opening: path, mode) }
      #expect(error?.code == .wrongFileType)
      #expect(error?.description.contains("\(path) is a \(kind).") == true)
    }
  }

  @Test func `A system error becomes a code, the cause and the next step`() throws {
    let error = Qcow2Error.system(.noSpace, cannot: "write", path: "/x.qcow2", at: 512)
    #expect(error.code == .noSpace)
    #expect(
      error.description
        == "/x.qcow2, offset 0x200: cannot write: No space left on device. "
        + "Free space on its filesystem, then try again")
    #expect(Qcow2Error.system(.diskQuotaExceeded, cannot: "write", path: "/x").code == .noSpace)
    #expect(Qcow2Error.system(.readOnlyFileSystem, cannot: "write", path: "/x").code == .permission)
  }

  @Test func `A write to a file opened for reading fails and changes nothing`() throws {
    let path = directory.path("file")
    try PosixFile(creating: path).write([1, 2, 3], at: 0)
    let file = try PosixFile(opening: path, .read)
    #expect(!file.isWritable)
    #expect(throws: Qcow2Error.self) { try file.write([9], at: 0) }
    #expect(try file.read(byteCount: 3, at: 0) == [1, 2, 3])
  }

  @Test func `A removed file can no longer be opened`() throws {
    let access = PosixFileAccess()
    let path = directory.path("file")
    _ = try access.create(path)
    try access.synchronizeDirectory(of: path)
    try access.remove(path)
    try access.synchronizeDirectory(of: path)
    #expect(throws: Qcow2Error.self) { try access.open(path, .read) }
    #expect(throws: Qcow2Error.self) { try access.remove(path) }
  }

  @Test func `What is written in place needs no room on an ordinary filesystem`() throws {
    #expect(try PosixFile(creating: directory.path("file")).hasRoomForRewrite())
  }

  @Test(.enabled(if: geteuid() == 0, "needs the right to mount"))
  func `A full filesystem that copies on write has no room for a rewrite`() throws {
    let image = directory.path("btrfs")
    let mount = directory.path("mount")
    try Command.run("truncate", ["-s", "128M", image])
    try Command.run("mkfs.btrfs", ["-q", image])
    try Command.run("mkdir", [mount])
    try Command.run("mount", ["-o", "loop", image, mount])
    defer { _ = try? Command.attempt("umount", ["-l", mount]) }
    let path = "\(mount)/file"
    try PosixFile(creating: path).write([UInt8](repeating: 1, count: 4096), at: 0)
    #expect(try PosixFile(opening: path, .read).hasRoomForRewrite())
    try SectorFile(opening: path, .write).checkRoomForRewrite()
    let filled = try Command.attempt("dd", ["if=/dev/zero", "of=\(mount)/filler", "bs=64k"])
    #expect(filled.status != 0)
    try Command.run("sync", ["-f", mount])
    #expect(try !PosixFile(opening: path, .read).hasRoomForRewrite())
    let error = #expect(throws: Qcow2Error.self) {
      try SectorFile(opening: path, .write).checkRoomForRewrite()
    }
    #expect(error?.code == .noSpace)
    #expect(error?.path == path)
  }
}

private func bindSocket(at path: String) throws {
  let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(number) }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  try #require(result == 0)
}
