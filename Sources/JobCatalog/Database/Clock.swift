import Foundation
import Glibc
import Jobs

/// The wall clock, and which boot of the machine this is.
enum Clock {
  /// Now.
  static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }

  /// The kernel's boot id; empty where the kernel does not tell.
  static func bootID() -> String {
    let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
  }
}

extension [UInt8] {
  /// The bytes as SQLite's blob.
  var asData: Data { Data(self) }
}
