private import Glibc
private import Jobs
internal import Qcow2

/// Compares what our reader and a second one read of the active state, cluster by cluster.
struct ReaderComparison {
  /// Bytes that are compared at once, at least a cluster.
  private static let chunkByteCount: UInt64 = 1 << 20
  /// Bytes without data that are compared in any case; beyond them as many as the file has, so that a large empty
  /// disk costs little.
  private static let leastEmptyByteCount: UInt64 = 64 << 20

  /// Bytes that both agree on.
  private(set) var bytesEqual: UInt64 = 0
  /// Guest ranges on which they differ, cluster by cluster; at most
  /// ``VerifyReport/maximumDifferences``.
  private(set) var differences: [Range<UInt64>] = []
  /// Clusters that were left out, by the reason.
  private(set) var leftOut: [String: UInt64] = [:]

  private var ours: GuestReader
  private let theirs: any SecondReaderImage
  private let name: String
  /// Bytes without data that are still to be compared.
  private var emptyByteCount: UInt64

  /// Prepares a comparison.
  ///
  /// - Parameters:
  ///   - ours: of an image that was found sound.
  ///   - byteCount: bytes of the file.
  ///   - theirs: the same image in the second reader.
  ///   - name: the second reader's.
  init(
    _ ours: GuestReader, ofFile byteCount: Int64, _ theirs: any SecondReaderImage, name: String
  ) {
    self.ours = ours
    emptyByteCount = UInt64(clamping: byteCount) + Self.leastEmptyByteCount
    self.theirs = theirs
    self.name = name
  }

  /// Goes through the whole disk.
  ///
  /// - Parameter checkpoint: told the bytes that were compared; what it throws ends the work.
  /// - Throws: `Qcow2Error` if our own reader fails; what the checkpoint throws.
  mutating func run(_ checkpoint: Checkpoint) throws {
    guard theirs.size == ours.size else {
      differences.append(0..<max(ours.size, theirs.size))
      return
    }
    let chunk = max(Self.chunkByteCount, UInt64(ours.clusterSize))
    var left = [UInt8](repeating: 0, count: Int(chunk))
    var right = left
    var offset: UInt64 = 0
    while offset < ours.size {
      var extent = try ours.extent(at: offset, atMost: chunk)
      if extent.kind == .unallocated, emptyByteCount == 0 || ours.hasBackingFile {
        // However long it is: nothing of it is read.
        extent = try ours.extent(at: offset, atMost: .max)
      }
      if let reason = reasonToLeaveOut(extent.kind) {
        leaveOut(extent.range, reason)
      } else {
        try compare(extent.range, &left, &right)
        if extent.kind == .unallocated {
          emptyByteCount -= min(emptyByteCount, UInt64(extent.range.count))
        }
        try checkpoint(Int64(extent.range.count))
      }
      offset = extent.range.upperBound
    }
  }

  private func reasonToLeaveOut(_ kind: GuestExtent.Kind) -> String? {
    switch kind {
    case .zero: "zero-flag clusters, which libqcow misreads"
    case .unallocated where ours.hasBackingFile:
      "clusters of the backing file, which is never opened"
    case .unallocated where emptyByteCount == 0:
      "clusters without data, of which enough were compared"
    case .unallocated, .data, .compressed: nil
    }
  }

  private mutating func leaveOut(_ range: Range<UInt64>, _ reason: String) {
    leftOut[reason, default: 0] +=
      UInt64((range.count + ours.clusterSize - 1) / ours.clusterSize)
  }

  private mutating func compare(
    _ range: Range<UInt64>, _ left: inout [UInt8], _ right: inout [UInt8]
  ) throws {
    let count = range.count
    try left.withUnsafeMutableBytes {
      try ours.read(
        into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: range.lowerBound)
    }
    do {
      try right.withUnsafeMutableBytes {
        try theirs.read(
          into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: range.lowerBound)
      }
    } catch let error as JobError {
      leaveOut(range, "clusters that \(name) failed to read: \(error.message)")
      return
    }
    guard !Self.isEqual(left, right, 0..<count) else {
      bytesEqual += UInt64(count)
      return
    }
    for start in stride(from: 0, to: count, by: ours.clusterSize) {
      let end = min(start + ours.clusterSize, count)
      if Self.isEqual(left, right, start..<end) {
        bytesEqual += UInt64(end - start)
      } else if differences.count < VerifyReport.maximumDifferences {
        let base = range.lowerBound
        differences.append(base + UInt64(start)..<base + UInt64(end))
      }
    }
  }

  private static func isEqual(_ left: [UInt8], _ right: [UInt8], _ range: Range<Int>) -> Bool {
    left.withUnsafeBytes { left in
      right.withUnsafeBytes { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return true }
        return memcmp(left + range.lowerBound, right + range.lowerBound, range.count) == 0
      }
    }
  }
}
