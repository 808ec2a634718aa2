import Glibc
import Jobs
import QMP
import SnapshotJobs

/// The system's address of a socket.
enum SystemAddress {
  case unix(UNIXAddress)
  case ipv4(sockaddr_in)
  case ipv6(sockaddr_in6)

  var family: CInt {
    switch self {
    case .unix: AF_UNIX
    case .ipv4: AF_INET
    case .ipv6: AF_INET6
    }
  }

  /// Hands the address to a system call.
  func withPointer(_ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    switch self {
    case .unix(let address): address.withPointer(call)
    case .ipv4(let address): Self.with(address, call)
    case .ipv6(let address): Self.with(address, call)
    }
  }

  private static func with<Address>(
    _ address: Address, _ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) -> CInt {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call($0, socklen_t(MemoryLayout<Address>.size))
      }
    }
  }
}

/// A socket that a migration goes to or comes from.
struct SocketTarget {
  let address: SystemAddress
  /// As QEMU writes it: the path, or host and port.
  let name: String

  /// Works out the address; no name is looked up.
  init(_ address: MigrationAddress) throws(JobError) {
    switch address {
    case .unix(let path):
      name = path
      do throws(QMPError) {
        self.address = .unix(try UNIXAddress(path))
      } catch {
        throw JobError(.usage, error.desc)
      }
    case .tcp(let host, let port):
      name = "\(host):\(port)"
      if host.contains(":") {
        var value = sockaddr_in6()
        value.sin6_family = sa_family_t(AF_INET6)
        value.sin6_port = port.bigEndian
        inet_pton(AF_INET6, host, &value.sin6_addr)
        self.address = .ipv6(value)
      } else {
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &value.sin_addr)
        self.address = .ipv4(value)
      }
    case .file(let path):
      throw JobError(.usage, "\(path) is a file, no socket")
    }
  }

  func makeSocket() throws(JobError) -> OwnDescriptor {
    let number = socket(
      address.family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw .channel(errno, "make a socket for", name) }
    return OwnDescriptor(number)
  }
}

extension OwnDescriptor {
  /// From now on calls return at once.
  func setNonBlocking() throws(JobError) {
    let flags = fcntl(number, F_GETFL)
    guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) >= 0 else {
      throw .channel(errno, "set up", "a socket")
    }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
  }
}
