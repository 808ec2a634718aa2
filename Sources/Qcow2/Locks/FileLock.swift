/// One lock as a `lock:` line of `/proc/PID/fdinfo/N` shows it:
///
///     lock:	1: OFDLCK  ADVISORY  READ  -1 fe:00:524321 100 100
///
/// a running number, kind, mode, process, device and inode, first and last byte.
struct FileLock: Equatable {
  /// The locked bytes.
  let range: ClosedRange<Int64>

  /// Reads a line; nil if it is another line, or a lock on whole files (`FLOCK`, `LEASE`).
  init?(fdinfoLine line: some StringProtocol) {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard words.count >= 9, words[0] == "lock:", words[2] == "OFDLCK" || words[2] == "POSIX",
      let first = Int64(words[7]), let last = words[8] == "EOF" ? Int64.max : Int64(words[8]),
      first <= last
    else { return nil }
    range = first...last
  }
}
