import FileNames
import Glibc

/// What systemd, or another service manager that speaks its protocol, has told this process in its
/// environment (sd_listen_fds(3), sd_notify(3)).
struct ServiceManager: Sendable {
  private let environment: [String: String]

  init(_ environment: [String: String]) { self.environment = environment }

  /// The first descriptor that is handed over.
  private static let firstDescriptor: Int32 = 3

  /// The socket that was handed over; nil for none, or if it is meant for another process.
  var listeningDescriptor: Int32? {
    guard environment["LISTEN_PID"].flatMap(Int32.init) == getpid(),
      let count = environment["LISTEN_FDS"].flatMap(Int.init), count >= 1
    else { return nil }
    _ = fcntl(Self.firstDescriptor, F_SETFD, FD_CLOEXEC)
    return Self.firstDescriptor
  }

  /// Tells that the service is ready. Where nobody asked, or listens any more, nothing happens.
  func notifyReady() {
    guard let name = environment["NOTIFY_SOCKET"], name.isAbsolutePath || name.hasPrefix("@") else {
      return
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // An abstract name begins with a zero byte.
    var bytes = name.fileNameBytes
    if name.hasPrefix("@") { bytes[0] = 0 }
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = socket(
      AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let message = Array("READY=1".utf8)
    _ = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, message, message.count, CInt(MSG_NOSIGNAL), $0, length)
      }
    }
  }
}
