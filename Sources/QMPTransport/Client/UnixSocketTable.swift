import FileNames
import Glibc

/// The kernel's table of UNIX sockets (unix_diag.h); Swift's Glibc lacks its structures.
enum UnixSocketTable {
  /// A socket with a name and a peer.
  struct Socket: Sendable, Hashable {
    /// Where it is, if it has a name.
    let path: String?
    /// The inode of the socket on the other side.
    let peer: UInt32?
  }

  private static let sockDiagProtocol: CInt = 4
  private static let byFamily: UInt16 = 20
  private static let done: UInt16 = 3
  private static let requestAndDump: UInt16 = 0x301
  private static let showNameAndPeer: UInt32 = 1 | 4
  private static let nameAttribute: UInt16 = 0
  private static let peerAttribute: UInt16 = 2
  private static let headerLength = 16
  private static let socketLength = 16

  /// The table; empty if the kernel does not show it.
  static func read() -> [Socket] {
    let descriptor = Glibc.socket(
      AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), sockDiagProtocol)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let request = request()
    guard send(descriptor, request, request.count, 0) == request.count else { return [] }
    var sockets: [Socket] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0, collect(buffer[..<count], into: &sockets) else { return sockets }
    }
  }

  /// `nlmsghdr` and `unix_diag_req`: sockets in every state, with name and peer.
  private static func request() -> [UInt8] {
    var bytes: [UInt8] = []
    func append<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }
    append(UInt32(headerLength + 24))
    append(byFamily)
    append(requestAndDump)
    append(UInt32(1))
    append(UInt32(0))
    bytes += [UInt8(AF_UNIX), 0, 0, 0]
    append(UInt32.max)
    append(UInt32(0))
    append(showNameAndPeer)
    append(UInt64.max)
    return bytes
  }

  /// Takes the messages of one packet; returns whether more packets come.
  private static func collect(_ packet: ArraySlice<UInt8>, into sockets: inout [Socket]) -> Bool {
    var rest = packet
    while rest.count >= headerLength {
      let length = Int(number(rest, at: 0, as: UInt32.self))
      let type = number(rest, at: 4, as: UInt16.self)
      guard length >= headerLength, length <= rest.count, type == byFamily else { return false }
      sockets.append(socket(rest.prefix(length).dropFirst(headerLength + socketLength)))
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return true
  }

  /// Reads the attributes of a socket.
  private static func socket(_ attributes: ArraySlice<UInt8>) -> Socket {
    var (path, peer): (String?, UInt32?)
    var rest = attributes
    while rest.count >= 4 {
      let length = Int(number(rest, at: 0, as: UInt16.self))
      guard length >= 4, length <= rest.count else { break }
      let value = rest.prefix(length).dropFirst(4)
      switch number(rest, at: 2, as: UInt16.self) {
      case nameAttribute: path = String(fileName: value.prefix { $0 != 0 })
      case peerAttribute where value.count >= 4: peer = number(value, at: 0, as: UInt32.self)
      default: break
      }
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return Socket(path: path, peer: peer)
  }

  /// A number in the machine's byte order.
  private static func number<Number: FixedWidthInteger>(
    _ bytes: ArraySlice<UInt8>, at offset: Int, as _: Number.Type
  ) -> Number {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
  }
}
