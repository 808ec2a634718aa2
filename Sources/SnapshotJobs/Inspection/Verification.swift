private import Glibc
public import Jobs
internal import Qcow2

/// What a comparison of two readers found.
public struct VerifyReport: Sendable, Hashable {
  /// The file.
  public let path: String
  /// Guest bytes that both readers agree on.
  public internal(set) var bytesEqual: UInt64 = 0
  /// Guest ranges in bytes on which they differ, cluster by cluster; at most ``maximumDifferences``.
  public internal(set) var differences: [Range<UInt64>] = []
  /// Clusters that were left out, by the reason.
  public internal(set) var leftOut: [String: UInt64] = [:]
  /// Why the second reader could not look at all; nil if it could.
  public internal(set) var secondReaderProblem: String?

  /// How many differences a report keeps.
  public static let maximumDifferences = 64

  init(path: String) { self.path = path }
}

/// Reads the active state of an image through our reader and a second one and compares them.
public struct Verification {
  /// Bytes that are compared at once.
  private static let chunkByteCount: UInt64 = 1 << 20

  private var report: VerifyReport
  private var ours: GuestReader
  private let theirs: any SecondReaderImage
  private let progress: (UInt64) -> Void

  /// Compares every cluster of the active state.
  ///
  /// - Parameters:
  ///   - path: the image; it is locked for reading meanwhile.
  ///   - second: the other reader. Images that it refuses are reported as such.
  ///   - progress: told the guest bytes that were gone through.
  /// - Returns: what was found.
  /// - Throws: `JobError` if our own reader fails.
  public static func run(
    path: String, second: any SecondReader, progress: @escaping (UInt64) -> Void = { _ in }
  ) throws(JobError) -> VerifyReport {
    do {
      let image = try Image.open(path, for: .read)
      let ours = try GuestReader(image)
      let theirs: any SecondReaderImage
      do throws(JobError) {
        theirs = try second.open(path: path)
      } catch {
        var report = VerifyReport(path: path)
        report.secondReaderProblem = error.message
        return report
      }
      var verification = Verification(
        report: VerifyReport(path: path), ours: ours, theirs: theirs, progress: progress)
      try verification.compare()
      return verification.report
    } catch {
      throw JobError(wrapping: error)
    }
  }

  private mutating func compare() throws {
    guard theirs.size == ours.size else {
      report.differences.append(0..<max(ours.size, theirs.size))
      return
    }
    let chunk = max(Self.chunkByteCount, UInt64(ours.clusterSize))
    var left = [UInt8](repeating: 0, count: Int(chunk))
    var right = left
    var offset: UInt64 = 0
    while offset < ours.size {
      let extent = try ours.extent(at: offset, atMost: chunk)
      if let reason = reasonToLeaveOut(extent.kind) {
        let clusters = (extent.range.count + ours.clusterSize - 1) / ours.clusterSize
        report.leftOut[reason, default: 0] += UInt64(clusters)
      } else {
        try compare(extent.range, &left, &right)
      }
      progress(UInt64(extent.range.count))
      offset = extent.range.upperBound
    }
  }

  private func reasonToLeaveOut(_ kind: GuestExtent.Kind) -> String? {
    switch kind {
    case .zero: "zero-flag clusters, which libqcow misreads"
    case .unallocated where ours.hasBackingFile:
      "clusters of the backing file, which is never opened"
    case .unallocated, .data, .compressed: nil
    }
  }

  private mutating func compare(
    _ range: Range<UInt64>, _ left: inout [UInt8], _ right: inout [UInt8]
  ) throws {
    let count = range.count
    try left.withUnsafeMutableBytes {
      try ours.read(
        into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: range.lowerBound)
    }
    try right.withUnsafeMutableBytes {
      try theirs.read(
        into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]), at: range.lowerBound)
    }
    guard !Self.isEqual(left, right, 0..<count) else {
      report.bytesEqual += UInt64(count)
      return
    }
    for start in stride(from: 0, to: count, by: ours.clusterSize) {
      let end = min(start + ours.clusterSize, count)
      if Self.isEqual(left, right, start..<end) {
        report.bytesEqual += UInt64(end - start)
      } else if report.differences.count < VerifyReport.maximumDifferences {
        let base = range.lowerBound
        report.differences.append(base + UInt64(start)..<base + UInt64(end))
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
