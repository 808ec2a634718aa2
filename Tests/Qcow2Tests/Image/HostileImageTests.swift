import TestOracles
import Testing

@testable import Qcow2

/// Damaged images throw or are read, and never trap; where the test ends, that is proved.
@Suite struct HostileImageTests {
  /// A small image of many features, by name.
  private static func golden(_ index: Int) throws -> [UInt8] {
    let options = [
      ["cluster_size=512"], ["compat=0.10", "cluster_size=512"],
      ["cluster_size=4096", "refcount_bits=1"], ["cluster_size=4096", "refcount_bits=64"],
      ["extended_l2=on", "cluster_size=16k"],
    ][index]
    let image = try TestImage(size: "128k", options, ["write -P 1 0 20k", "write -c -P 2 64k 32k"])
    if index != 2 {
      try QemuImg.createSnapshot("one", in: image.path)
      try QemuIO.run(["write -P 3 4k 20k"], on: image.path)
      try QemuImg.createSnapshot("two", in: image.path)
    }
    if index == 3 {
      try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    }
    return try image.bytes()
  }

  /// Does everything that can be done with an image; errors of the engine are swallowed, anything else
  /// is thrown.
  private func exercise(_ bytes: [UInt8], isThorough: Bool = true) throws {
    try lookAtSector(bytes)
    for purpose in [Image.Purpose.peek, .check, .change] {
      let file = MemoryFile(bytes, capacity: 4 << 20)
      guard let image = try attempt({ try file.open(purpose) }) else { continue }
      _ = try attempt { try image.summary() }
      _ = image.mark
      if purpose == .check { _ = try attempt { try image.check() } }
      guard purpose == .change, isThorough else { continue }
      try readAll(image)
      for edit in [
        { try $0.takeSnapshot(tag: "new", date: .init(seconds: 0, nanoseconds: 0)) },
        { try $0.load(position: $0.image.snapshots.count - 1) },
        { try $0.deleteSnapshot(position: 0) }, { try $0.write([1, 2, 3], at: 4000) },
      ] as [(inout ImageDraft) throws -> Void] {
        let file = MemoryFile(bytes, capacity: 4 << 20)
        _ = try attempt {
          let image = try file.open(.change)
          var draft = try ImageDraft(image)
          if image.snapshots.isEmpty {
            try draft.takeSnapshot(tag: "only", date: .init(seconds: 0, nanoseconds: 0))
          } else {
            try edit(&draft)
          }
          try draft.settle { _ in }
          let prepared = try draft.prepare { _ in }
          try prepared.raiseFence()
          try prepared.publish()
          try prepared.finish()
        }
      }
    }
  }

  /// Does everything that recovery does with a first sector.
  private func lookAtSector(_ bytes: [UInt8]) throws {
    let file = MemoryFile(bytes, capacity: 4 << 20)
    _ = try attempt {
      let sectorFile = try SectorFile(opening: file.path, .write, access: MemoryAccess(file: file))
      guard let sector = try sectorFile.read() else { return }
      _ = (sector.mark, sector.fenceMark, sector.isQcow2, sector.withoutMarker)
      let plain = try sectorFile.unfenced()
      #expect(plain.fenceMark == nil)
      try sectorFile.write(plain)
    }
  }

  private func readAll(_ image: Image) throws {
    _ = try attempt {
      var verification = try ImageVerification(image)
      for position in [nil] + image.snapshots.indices.map(Int?.init) {
        _ = try verification.readState(snapshot: position)
      }
    }
    _ = try attempt {
      var readers = [try GuestReader(image)]
      for position in image.snapshots.indices {
        if let reader = try attempt({ try GuestReader(image, snapshot: position) }) {
          readers.append(reader)
        }
      }
      var bytes = [UInt8](repeating: 0, count: 4096)
      for var reader in readers {
        for offset in [0, 4096, 60_000, 64 << 10, 130_000, UInt64.max - 5000] as [UInt64] {
          _ = try attempt {
            try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: offset) }
          }
        }
      }
    }
  }

  /// The result, or nil where the engine threw.
  private func attempt<T>(_ body: () throws -> T) throws -> T? {
    do { return try body() } catch is Qcow2Error { return nil }
  }

  @Test("An image cut at any byte of its header throws or is read", arguments: 0..<5)
  func truncated(index: Int) throws {
    let bytes = try Self.golden(index)
    for count in 0...600 { try exercise(Array(bytes[..<count]), isThorough: false) }
    var generator = SeededGenerator(seed: UInt64(index))
    for _ in 0..<40 {
      try exercise(Array(bytes[..<Int.random(in: 600..<bytes.count, using: &generator)]))
    }
  }

  @Test("An image with any bit of its header flipped throws or is read", arguments: 0..<5)
  func flippedHeaderBits(index: Int) throws {
    let bytes = try Self.golden(index)
    for bit in 0..<(8 * 112) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      try exercise(damaged, isThorough: bit % 5 == 0)
    }
  }

  @Test("A fenced sector with any bit flipped throws or is read", arguments: 0..<5)
  func flippedFenceBits(index: Int) throws {
    let bytes = try Self.golden(index)
    let image = try MemoryFile(bytes).open(.read)
    let fenced = try FirstSector(fencing: image.area, .fresh(), cluster: image.cluster)
    for bit in 0..<(8 * FirstSector.byteCount) {
      var damaged = fenced.bytes + bytes.dropFirst(FirstSector.byteCount)
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      try lookAtSector(damaged)
    }
  }

  @Test("An image with bits and words changed anywhere throws or is read", arguments: 0..<5)
  func damagedAnywhere(index: Int) throws {
    let bytes = try Self.golden(index)
    let metadata = try MetadataMap(MemoryFile(bytes).open(.read)).all + [0..<600]
    var generator = SeededGenerator(seed: UInt64(index) + 100)
    for _ in 0..<150 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let range = metadata[Int.random(in: metadata.indices, using: &generator)]
        let offset = Int(UInt64.random(in: range, using: &generator))
        if Bool.random(using: &generator) {
          damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        } else {
          // Whole words with telling values.
          let word: UInt64 =
            [
              0, .max, 1 << 63, 0x7fff_ffff_ffff_fe00, 0x00ff_ffff_ffff_fe00, 1 << 62, 512,
              0xffff_ffff, generator.next(),
            ].randomElement(using: &generator) ?? 0
          let start = min(offset & ~7, damaged.count - 8)
          for byte in 0..<8 {
            damaged[start + byte] = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * byte))
          }
        }
      }
      try exercise(damaged)
    }
  }
}
