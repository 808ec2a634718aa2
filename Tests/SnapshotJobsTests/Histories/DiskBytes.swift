import Glibc
import Qcow2
import SnapshotJobs

/// All bytes of a disk's state.
struct DiskBytes: Equatable, Sendable {
  let bytes: [UInt8]

  static let sectorByteCount = 512

  /// Reads a state with snapjob's reader.
  init(_ reader: GuestReader) throws {
    var reader = reader
    var bytes = [UInt8](repeating: 0, count: Int(reader.size))
    try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
    self.bytes = bytes
  }

  /// Fast in builds without optimization too.
  static func == (left: DiskBytes, right: DiskBytes) -> Bool {
    left.bytes.count == right.bytes.count
      && memcmp(left.bytes, right.bytes, left.bytes.count) == 0
  }

  /// The numbers of the sectors that differ from those of a disk of the same size.
  func sectors(differingFrom other: DiskBytes) -> Set<Int> {
    var sectors: Set<Int> = []
    bytes.withUnsafeBytes { own in
      other.bytes.withUnsafeBytes { others in
        guard let own = own.baseAddress, let others = others.baseAddress else { return }
        for sector in 0..<bytes.count / Self.sectorByteCount {
          let offset = sector * Self.sectorByteCount
          if memcmp(own + offset, others + offset, Self.sectorByteCount) != 0 {
            sectors.insert(sector)
          }
        }
      }
    }
    return sectors
  }
}
