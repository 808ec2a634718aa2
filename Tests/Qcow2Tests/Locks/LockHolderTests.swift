import Testing

@testable import Qcow2

@Suite struct LockHolderTests {
  @Test(
    arguments: [
      (["qemu", "-name", "web01"], "web01"), (["qemu", "--name", "web01"], "web01"),
      (["qemu", "-name", "guest=web01,debug-threads=on"], "web01"),
      (["qemu", "-name", "debug-threads=on,guest=web01"], "web01"),
      (["qemu", "-name", "web01,process=x"], "web01"),
      (["qemu", "-name", "a,,b,process=x"], "a,b"),
      (["qemu", "-name", "one", "-name", "two"], "two"), (["qemu", "-name", "process=x"], nil),
      (["qemu", "-name"], nil), (["qemu"], nil), ([], nil),
    ] as [([String], String?)])
  func `A machine's name is found in every form that qemu takes`(words: [String], name: String?) {
    #expect(ProcessTable.machineName(inCommandLine: words) == name)
  }

  @Test(
    arguments: [
      ("lock:\t1: OFDLCK  ADVISORY  READ  -1 fe:00:524321 100 101", 100...101),
      ("lock:\t2: OFDLCK  ADVISORY  WRITE -1 00:2f:7 203 EOF", 203...Int64.max),
      ("lock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:524321 0 0", 0...0),
      ("lock:\t1: FLOCK  ADVISORY  WRITE 4711 fe:00:524321 0 EOF", nil),
      ("lock:\t1: LEASE  ACTIVE  READ 4711 fe:00:524321 0 EOF", nil),
      ("lock:\t1: OFDLCK  ADVISORY  READ  -1 fe:00:524321 101 100", nil),
      ("lock:\t1: OFDLCK  ADVISORY  READ  -1 fe:00:524321 x", nil), ("pos:\t0", nil), ("", nil),
    ] as [(String, ClosedRange<Int64>?)])
  func `A lock line gives the locked bytes, any other line nothing`(
    line: String, range: ClosedRange<Int64>?
  ) {
    #expect(FileLock(fdinfoLine: line)?.range == range)
  }

  @Test func `The bytes are those that qemu's programs hold and look at`() {
    #expect(LockBytes(.write).held.sorted() == [100, 101, 103, 201, 203])
    #expect(LockBytes(.read).held.sorted() == [100, 201, 203])
    #expect(LockBytes(.peek).held == [100])
    #expect(LockBytes(.write).checks.map(\.byte) == [200, 201, 203, 101, 103])
    #expect(LockBytes(.read).checks.map(\.byte) == [200, 101, 103])
    #expect(LockBytes(.peek).checks.map(\.byte) == [200])
  }

  @Test func `A holder that cannot be seen is said to be elsewhere`() {
    #expect(LockHolder(processes: []).description == "another user's process or another host")
    let two = LockHolder(processes: [
      .init(pid: 1, program: "a", machineName: nil), .init(pid: 2, program: "b", machineName: "c"),
    ])
    #expect(two.description == "a (pid 1) and b (pid 2, -name c)")
  }
}
