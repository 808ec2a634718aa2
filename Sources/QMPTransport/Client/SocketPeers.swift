import FileNames
import Glibc

/// Who is connected to a UNIX socket, asked of the kernel (sock_diag(7), unix_diag.h).
enum SocketPeers {
  /// A process that has a connection.
  struct Client: Sendable, Hashable {
    /// Its process id.
    let pid: Int32
    /// Its name, as in `ps`.
    let name: String
  }

  /// The processes, apart from this one, that hold a connection to the listener at a path; those that
  /// may not be looked at are left out.
  static func clients(of path: String) -> [Client] {
    let sockets = UnixSocketTable.read()
    let served = Set(sockets.filter { $0.path?.hasSameBytes(as: path) == true }.compactMap(\.peer))
    guard !served.isEmpty else { return [] }
    return processes().filter { $0 != getpid() }.compactMap { pid in
      guard holds(pid, served) else { return nil }
      return Client(pid: pid, name: text("/proc/\(pid)/comm") ?? "?")
    }
  }

  private static func processes() -> [Int32] {
    names(in: "/proc").compactMap { Int32($0) }.sorted()
  }

  private static func holds(_ pid: Int32, _ inodes: Set<UInt32>) -> Bool {
    let directory = "/proc/\(pid)/fd"
    return names(in: directory).contains { name in
      var buffer = [UInt8](repeating: 0, count: 64)
      let count = buffer.withUnsafeMutableBytes { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          characters.baseAddress.map { readlink("\(directory)/\(name)", $0, characters.count) }
            ?? -1
        }
      }
      guard count > 0 else { return false }
      let target = String(decoding: buffer[..<count], as: UTF8.self)
      guard target.hasPrefix("socket:["), target.hasSuffix("]") else { return false }
      return UInt32(target.dropFirst("socket:[".count).dropLast()).map(inodes.contains) ?? false
    }
  }

  private static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
  }

  private static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    let text = String(decoding: buffer[..<count], as: UTF8.self)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}
