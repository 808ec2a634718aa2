import Glibc
import Jobs
import QMPTransport
import SnapshotJobs
import TestOracles
import Testing

@Suite struct ByteChannelTests {
  private let channels = SystemByteChannels()
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func write(_ text: String, to channel: any ByteChannel) throws -> Int? {
    try Array(text.utf8).withUnsafeBytes { bytes throws(JobError) in
      try channel.write(bytes, within: .seconds(10))
    }
  }

  /// Reads all that comes up to the end.
  private func readAll(_ channel: any ByteChannel) throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 100)
    while true {
      let count = try buffer.withUnsafeMutableBytes { buffer throws(JobError) in
        try channel.read(into: buffer, within: .seconds(10))
      }
      guard let count, count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }

  @Test(
    "bytes go both ways over sockets", arguments: ["unix:DIR/s", "tcp:127.0.0.1:", "tcp:[::1]:"])
  func sockets(uri: String) throws {
    var uri = uri.replacing("DIR", with: directory.path)
    if uri.hasSuffix(":") { uri += "\(20000 + getpid() % 20000 + (uri.contains("::") ? 1 : 0))" }
    let address = try MigrationAddress(uri)
    let listener = try channels.listen(at: address)
    #expect(try listener.accept(within: .milliseconds(1)) == nil)
    let client = try channels.connect(to: address)
    let server = try #require(try listener.accept(within: .seconds(10)))
    #expect(client.isTwoWay && server.isTwoWay)
    #expect(try write("there", to: client) == 5)
    try client.finishWriting()
    #expect(try readAll(server) == "there")
    #expect(try write("back", to: server) == 4)
    server.close()
    #expect(try readAll(client) == "back")
    client.close()
  }

  @Test func onlyTheOwnerCanReachASocketAndItIsGoneAfterwards() throws {
    let path = directory.path("s")
    let address = try MigrationAddress("unix:\(path)")
    let listener = try channels.listen(at: address)
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    // A second one does not take its place.
    #expect {
      _ = try channels.listen(at: address)
    } throws: { error in
      (error as? JobError)?.kind == .inUse
    }
    let client = try channels.connect(to: address)
    let server = try listener.accept(within: .seconds(10))
    #expect(server != nil)
    // Nobody else is let in.
    #expect(stat(path, &status) != 0)
    client.close()
  }

  @Test func aListenerThatIsClosedLeavesNothing() throws {
    let path = directory.path("s")
    let listener = try channels.listen(at: try MigrationAddress("unix:\(path)"))
    listener.close()
    var status = stat()
    #expect(stat(path, &status) != 0)
    #expect {
      _ = try channels.connect(to: try MigrationAddress("unix:\(path)"))
    } throws: { error in
      let error = error as? JobError
      return error?.kind == .connection
        && error?.message.hasPrefix("Failed to connect to '\(path)': No such file or directory")
          ?? false
    }
  }

  @Test func aSocketThatNobodyListensAtIsReplaced() throws {
    let path = directory.path("s")
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    _ = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    Glibc.close(descriptor)
    let listener = try channels.listen(at: try MigrationAddress("unix:\(path)"))
    let client = try channels.connect(to: try MigrationAddress("unix:\(path)"))
    #expect(try listener.accept(within: .seconds(10)) != nil)
    client.close()
  }

  @Test func whoHasGoneIsTold() throws {
    let (left, right) = try channels.pair()
    right.close()
    #expect(try readAll(left) == "")
    #expect {
      for _ in 0..<3 { _ = try write("x", to: left) }
    } throws: { error in
      (error as? JobError)?.kind == .connection
    }
  }

  @Test func noBytesAndNoRoomAreNoFailures() throws {
    let (left, right) = try channels.pair()
    var buffer = [UInt8](repeating: 0, count: 10)
    let count = try buffer.withUnsafeMutableBytes { buffer throws(JobError) in
      try left.read(into: buffer, within: .milliseconds(1))
    }
    #expect(count == nil)
    let much = [UInt8](repeating: 1, count: 1 << 16)
    var written: Int? = 0
    for _ in 0..<1000 where written != nil {
      written = try much.withUnsafeBytes { bytes throws(JobError) in
        try left.write(bytes, within: .milliseconds(1))
      }
    }
    #expect(written == nil)
    right.close()
  }

  @Test func aFileIsMadeOnceAndReadBack() throws {
    let path = directory.path("f")
    let address = try MigrationAddress("file:\(path)")
    let sink = try channels.connect(to: address)
    #expect(!sink.isTwoWay)
    _ = try write("stream", to: sink)
    try sink.finishWriting()
    sink.close()
    #expect {
      _ = try channels.connect(to: address)
    } throws: { error in
      (error as? JobError)?.kind == .conflict
    }
    let listener = try channels.listen(at: address)
    let source = try #require(try listener.accept(within: .zero))
    #expect(try readAll(source) == "stream")
    source.close()
  }

  @Test func aFileThatWasNotFinishedIsRemoved() throws {
    let path = directory.path("f")
    let sink = try channels.connect(to: try MigrationAddress("file:\(path)"))
    _ = try write("stream", to: sink)
    sink.close()
    #expect {
      _ = try channels.listen(at: try MigrationAddress("file:\(path)"))
    } throws: { error in
      (error as? JobError)?.kind == .notFound
    }
  }
}
