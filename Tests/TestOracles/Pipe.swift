import Glibc
import SystemPackage

/// A pipe whose read end never blocks. Used by one thread.
final class Pipe {
  let readEnd: FileDescriptor
  let writeEnd: FileDescriptor
  private var isWriteEndOpen = true
  /// Whether the end of its data has not been seen yet.
  private(set) var isOpen = true

  init() throws(OracleError) {
    do {
      (readEnd, writeEnd) = try FileDescriptor.pipe(options: .closeOnExec)
    } catch {
      throw OracleError("cannot make a pipe: \(error)")
    }
    _ = fcntl(readEnd.rawValue, F_SETFL, O_NONBLOCK)
  }

  deinit {
    closeWriteEnd()
    readEnd.closeIgnoringErrors()
  }

  func closeWriteEnd() {
    if isWriteEndOpen { writeEnd.closeIgnoringErrors() }
    isWriteEndOpen = false
  }

  /// Appends what is there now.
  ///
  /// - Returns: whether more may come.
  func drain(into bytes: inout [UInt8]) throws(OracleError) -> Bool {
    guard isOpen else { return false }
    while true {
      let chunk: [UInt8]
      do {
        chunk = try [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
          count = try readEnd.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
      } catch Errno.resourceTemporarilyUnavailable {
        return true
      } catch {
        throw OracleError("cannot read a pipe: \(error)")
      }
      if chunk.isEmpty {
        isOpen = false
        return false
      }
      bytes += chunk
    }
  }

  /// Waits until one of these has data or has ended, or some time has passed.
  static func wait(for pipes: [Pipe], atMost limit: Duration) {
    var requests = pipes.map {
      pollfd(fd: $0.readEnd.rawValue, events: Int16(POLLIN), revents: 0)
    }
    _ = poll(&requests, nfds_t(requests.count), CInt(limit / .milliseconds(1)))
  }
}
