import TestOracles
import Testing

@testable import Qcow2

/// Images on storage whose length is fixed.
@Suite struct BlockDeviceTests {
  private static let date = ImageDraft.SnapshotDate(seconds: 1, nanoseconds: 2)

  /// A device with an image at its start and old bytes of others behind it.
  private func device(_ image: [UInt8], clustersLeft: Int) -> MemoryFile {
    let used = (image.count + 4095) / 4096 * 4096
    var bytes = image + [UInt8](repeating: 0, count: used - image.count)
    bytes += [UInt8](repeating: 0xee, count: clustersLeft * 4096)
    return MemoryFile(bytes, capacity: Int64(bytes.count), isBlockDevice: true)
  }

  private func commit(
    _ file: MemoryFile, _ edit: (inout ImageDraft) throws -> Void
  ) throws {
    var draft = try ImageDraft(file.open(.change))
    try edit(&draft)
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
    #expect(try file.open(.check).check().exitCode == 0)
  }

  private func digest(_ file: MemoryFile, snapshot: Int? = nil) throws -> String {
    let image = try file.open(.read)
    var reader = try snapshot.map { try GuestReader(image, snapshot: $0) } ?? GuestReader(image)
    return try reader.digest()
  }

  @Test(
    "A device is never cut off nor made longer, and what is stale on it is never taken for data")
  func fixedLength() throws {
    let start = try TestImage(size: "256k", ["cluster_size=4096"], ["write -P 1 0 64k"]).bytes()
    let file = device(start, clustersLeft: 64)
    let length = try file.length()
    let first = try digest(file)
    try commit(file) { try $0.takeSnapshot(tag: "a", date: Self.date) }
    try commit(file) { try $0.write([UInt8](repeating: 2, count: 50_000), at: 30_000) }
    let second = try digest(file)
    try commit(file) { draft in
      try draft.takeSnapshot(tag: "b", date: Self.date)
      try draft.load(position: 0)
    }
    #expect(try digest(file) == first)
    #expect(try digest(file, snapshot: 1) == second)
    try commit(file) { try $0.deleteSnapshot(position: 0) }
    try commit(file) { try $0.load(position: 0) }
    try commit(file) { try $0.deleteSnapshot(position: 0) }
    #expect(try digest(file) == second)
    #expect(try file.length() == length)
    let hasResized = file.operations.contains { if case .setLength = $0 { true } else { false } }
    #expect(!hasResized)
  }

  @Test("Whatever room is left, a change succeeds or is out of space and undone")
  func room() throws {
    let start = try TestImage(size: "256k", ["cluster_size=4096"], ["write -P 1 0 200k"]).bytes()
    var outcomes: Set<Bool> = []
    for clustersLeft in 0..<10 {
      let file = device(start, clustersLeft: clustersLeft)
      let before = try digest(file)
      let length = try file.length()
      do {
        try commit(file) { try $0.takeSnapshot(tag: "a", date: Self.date) }
        outcomes.insert(true)
        #expect(try digest(file, snapshot: 0) == before)
      } catch let error as Qcow2Error {
        outcomes.insert(false)
        #expect(error.code == .noSpace, "\(error)")
        #expect(try file.open(.read).snapshots.isEmpty)
      }
      #expect(try file.length() == length)
      #expect(try digest(file) == before)
      #expect(try file.open(.check).check().exitCode == 0)
    }
    #expect(outcomes == [true, false])
  }
}
