import TestOracles
import Testing

@testable import Qcow2

extension TestImage {
  /// Fails the test unless every state reads as qemu-img converts it.
  func expectEqualContent(sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(
      try digest() == QemuImg.contentDigest(path), "active state", sourceLocation: sourceLocation)
    for (position, snapshot) in try open().snapshots.enumerated() {
      #expect(
        try digest(snapshot: position) == QemuImg.contentDigest(path, snapshot: snapshot.name),
        "snapshot \(snapshot.name)", sourceLocation: sourceLocation)
    }
  }

  /// Fails the test unless the ranges with data are those that `qemu-img map` names.
  func expectEqualMap(sourceLocation: SourceLocation = #_sourceLocation) throws {
    var reader = try GuestReader(open())
    var ours: [Range<UInt64>] = []
    var offset: UInt64 = 0
    while offset < reader.size {
      let extent = try reader.extent(at: offset, atMost: .max)
      if extent.kind == .data || extent.kind == .compressed { ours.append(extent.range) }
      offset = extent.range.upperBound
    }
    let theirs = try #require(try QemuImg.map(path).array).filter { $0["data"]?.bool == true }
      .map { range in
        let start = UInt64(try #require(range["start"]?.int))
        return start..<start + UInt64(try #require(range["length"]?.int))
      }
    #expect(Self.joined(ours) == Self.joined(theirs), sourceLocation: sourceLocation)
  }

  /// Neighbouring ranges made one.
  private static func joined(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var joined: [Range<UInt64>] = []
    for range in ranges {
      if let last = joined.last, last.upperBound == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
