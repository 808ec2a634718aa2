import Jobs
import SnapshotJobs
import Testing

@Suite struct MigrationAddressTests {
  @Test(
    "an address is read and written",
    arguments: [
      ("unix:/run/x.sock", MigrationAddress.unix(path: "/run/x.sock")),
      ("unix:a:b", .unix(path: "a:b")), ("file:/x", .file(path: "/x")),
      ("tcp:localhost:4444", .tcp(host: "localhost", port: 4444)),
      ("tcp:127.3.2.1:1", .tcp(host: "127.3.2.1", port: 1)),
      ("tcp:[::1]:65535", .tcp(host: "::1", port: 65535)),
    ])
  func reads(uri: String, address: MigrationAddress) throws {
    #expect(try MigrationAddress(uri) == address)
    #expect(address.description == uri)
  }

  @Test(
    "what is no address is refused in QEMU's words",
    arguments: ["", "x", "unix", "unix:", "file:", "http://x", ":x"])
  func noAddress(uri: String) {
    #expect {
      _ = try MigrationAddress(uri)
    } throws: { error in
      let error = error as? JobError
      return error?.kind == .usage
        && error?.message.hasPrefix("Parameter 'uri' expects a valid migration protocol") ?? false
    }
  }

  @Test(
    "what snapjob does not do is refused by name",
    arguments: ["exec:cat", "fd:3", "rdma:host:1", "vsock:1:2"])
  func unsupported(uri: String) {
    #expect {
      _ = try MigrationAddress(uri)
    } throws: { error in
      let name = uri.prefix { $0 != ":" }
      return (error as? JobError)?.message.hasPrefix("\(name): is not supported") ?? false
    }
  }

  @Test(
    "other computers are not reached without encryption",
    arguments: ["tcp:0.0.0.0:1", "tcp::1", "tcp:example.org:1", "tcp:128.0.0.1:1", "tcp:[::]:1"])
  func notLoopback(uri: String) {
    #expect {
      _ = try MigrationAddress(uri)
    } throws: { error in
      (error as? JobError)?.kind == .refused
    }
  }

  @Test(
    "a port is a number from 1 to 65535",
    arguments: [
      "tcp:", "tcp:localhost", "tcp:localhost:", "tcp:localhost:0", "tcp:localhost:65536",
    ])
  func noPort(uri: String) {
    #expect {
      _ = try MigrationAddress(uri)
    } throws: { error in
      (error as? JobError)?.kind == .usage
    }
  }
}
