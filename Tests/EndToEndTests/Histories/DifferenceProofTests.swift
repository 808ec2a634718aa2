import Qcow2
import TestOracles
import Testing

@Suite struct DifferenceProofTests {
  /// A snapshot and the active state, which differ in a few clusters; one has the same bytes elsewhere.
  private func points(
    _ format: ImageFormat
  ) throws -> (proof: DifferenceProof, ranges: [Range<UInt64>], directory: TemporaryDirectory) {
    let directory = try TemporaryDirectory()
    let image = try FormattedImage(format, in: directory)
    try image.io(["write -P 1 0 128k"])
    try image.snapshot("-c", "a")
    try image.io(["write -P 1 0 64k", "write -P 2 100000 10", "write -P 3 300k 32k"])
    let tables = try RawTables(image.path)
    let contents = [try image.content(of: "a"), try image.content()]
    let proof = DifferenceProof(
      HistoryPoint(
        state: .snapshot(0), content: contents[0],
        mapping: try tables.mapping(of: "a", in: contents[0])),
      HistoryPoint(
        state: .active, content: contents[1], mapping: try tables.mapping(of: nil, in: contents[1])),
      tables)
    let ranges = try Image.open(image.path, for: .read).differences(from: .snapshot(0), to: .active)
    return (proof, ranges, directory)
  }

  @Test(
    "what is missing, too much or only a part of a cluster is found",
    arguments: [ImageFormat(clusterSize: 4096), ImageFormat(clusterSize: 65536, kind: .extendedL2)])
  func canFail(format: ImageFormat) throws {
    let (proof, ranges, directory) = try points(format)
    try proof.check(ranges)
    for index in ranges.indices {
      // The first 64 KiB have the same bytes in another place; these alone may be left out.
      guard ranges[index].upperBound > 65536 else { continue }
      var fewer = ranges
      fewer.remove(at: index)
      #expect(throws: OracleError.self) { try proof.check(fewer) }
    }
    let size = UInt64(format.diskSize)
    let extras: [Range<UInt64>] = [
      size - 65536..<size, 262_144..<262_656, size..<size + 65536,
    ]
    for extra in extras {
      #expect(throws: OracleError.self) { try proof.check(ranges + [extra]) }
    }
    _ = directory
  }
}
