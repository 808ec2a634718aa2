import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

/// Device state in memory.
struct StateBytes: VMStateSource {
  let bytes: [UInt8]

  /// Bytes that differ from those of another seed.
  init(count: Int, seed: UInt64 = 1) {
    var generator = SeededGenerator(seed: seed)
    bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  var byteCount: UInt64 { UInt64(bytes.count) }

  mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int {
    let part = bytes[Int(offset)...].prefix(buffer.count)
    buffer.copyBytes(from: part)
    return part.count
  }
}

extension Node {
  /// Takes a snapshot with device state, as another program would.
  func saveAsMachine(_ tag: String, _ state: StateBytes) throws {
    var draft = try ImageDraft(Image.open(path, for: .change))
    try draft.takeSnapshot(
      tag: tag, date: .init(seconds: 1_700_000_000, nanoseconds: 0),
      vmState: .copied(from: state, vmClockNanoseconds: 9))
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
    prepared.image.unlock()
  }

  /// The device state that a snapshot keeps; nil for one of the disk only.
  func state(_ tag: String) throws -> [UInt8]? {
    let image = try Image.open(path, for: .read)
    let position = try #require(image.snapshots.firstIndex { $0.name == tag }, "no \(tag)")
    guard image.snapshots[position].vmStateSize > 0 else { return nil }
    var reader = try VMStateReader(image, snapshot: position)
    var bytes = [UInt8](repeating: 0, count: Int(reader.byteCount))
    _ = try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
    return bytes
  }
}

extension Workbench {
  /// Whether the next save would save device state.
  func hasState(_ nodes: [Node]) throws -> Bool {
    try SnapshotRequest.save("probe", on: nodes)
      .plan(on: Machine(name: nil, nodes: nodes), access: ImageAccess(log: catalog))
      .contains { $0.action.contains("with device state") }
  }
}
