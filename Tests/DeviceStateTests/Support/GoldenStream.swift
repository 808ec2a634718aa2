import DeviceState
import Glibc

/// The streams of `testdata/`, made by QEMU 7.2.
enum GoldenStream: String, CaseIterable, Sendable {
  case devicesNone = "devices-none"
  case devicesQ35 = "devices-q35"
  case devicesPC = "devices-pc"
  case savevm = "savevm-microvm"
  case migration = "migration-none-bitmaps"

  /// Its bytes.
  var bytes: [UInt8] {
    get throws {
      let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
      let path = root.joined(separator: "/") + "/testdata/\(rawValue).qevm"
      guard let file = fopen(path, "r") else { throw Missing(path: path) }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let count = fread(&bytes, 1, bytes.count, file)
      return Array(bytes[..<count])
    }
  }

  /// A stream that cannot be read.
  struct Missing: Error {
    let path: String
  }
}

/// Collects what is written.
final class CollectedBytes {
  private(set) var bytes: [UInt8] = []

  /// Takes bytes.
  var output: StreamOutput {
    { run throws(StreamError) in run.withUnsafeBytes { self.bytes += $0 } }
  }
}

extension StreamReader {
  /// Reads everything, and writes it back.
  mutating func copied() throws(StreamError) -> [UInt8] {
    let collected = CollectedBytes()
    let writer = StreamWriter(to: collected.output)
    try writer.begin()
    while let part = try next() { try writer.copy(part, from: &self) }
    try writer.finish()
    return collected.bytes
  }
}
