private import Glibc
internal import Jobs
internal import Qcow2

extension Timestamp {
  /// The present moment.
  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(
      microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}

/// The kernel's id of this boot: device and inode numbers mean the same file only within one.
enum Boot {
  /// The id; empty where the kernel does not tell.
  static let id: String = {
    guard let file = try? PosixFile(opening: "/proc/sys/kernel/random/boot_id", .read),
      let bytes = try? file.readZeroPadded(byteCount: 36, at: 0)
    else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }()
}
