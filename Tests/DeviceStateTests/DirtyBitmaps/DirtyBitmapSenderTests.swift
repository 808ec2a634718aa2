import DeviceState
import Testing

@Suite struct DirtyBitmapSenderTests {
  /// Bits of a bitmap, at random; whole runs of zeros in between.
  private func content(_ byteCount: Int, _ generator: inout SystemRandomNumberGenerator) -> [UInt8]
  {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    for start in stride(from: 0, to: byteCount, by: 700) where Bool.random(using: &generator) {
      for index in start..<min(start + 700, byteCount) { bytes[index] = .random(in: 0...255) }
    }
    return bytes
  }

  private func bitmap(
    _ node: String, _ alias: String, granularity: UInt32, diskSize: UInt64
  ) throws -> DirtyBitmapSender.Bitmap {
    try DirtyBitmapSender.Bitmap(
      nodeAlias: node, alias: alias, granularity: granularity, diskSize: diskSize, flags: .enabled)
  }

  private func chunks(
    _ bitmaps: [DirtyBitmapSender.Bitmap], _ content: [[UInt8]]
  ) throws -> [DirtyBitmapChunk] {
    var sender = DirtyBitmapSender()
    var chunks = bitmaps.map { sender.announce($0) }
    for (bitmap, content) in zip(bitmaps, content) {
      try sender.sendBits(
        of: bitmap, read: { Array(content[Int($0.lowerBound)..<Int($0.upperBound)]) },
        send: { chunk, _ in chunks.append(chunk) })
    }
    return chunks + bitmaps.map { sender.complete($0) }
  }

  @Test(
    "what is sent is received", arguments: [512, 4096, 65536, 1 << 21, 1 << 31] as [UInt32],
    [512, 1_000_000, 67_108_864, 640 << 20, 3 << 40] as [UInt64])
  func roundTrip(granularity: UInt32, diskSize: UInt64) throws {
    guard diskSize / UInt64(granularity) < 1 << 24 else { return }
    let bitmaps = try [
      bitmap("disk0", "b0", granularity: granularity, diskSize: diskSize),
      bitmap("disk0", "b1", granularity: granularity, diskSize: diskSize),
      bitmap("disk1", "b0", granularity: granularity, diskSize: diskSize),
    ]
    var generator = SystemRandomNumberGenerator()
    let sent = bitmaps.map { bitmap in
      var bytes = content(Int(bitmap.contentByteCount), &generator)
      // As in an image: bits beyond the disk are 0.
      let bits = Int((diskSize + UInt64(granularity) - 1) / UInt64(granularity))
      for bit in bits..<8 * bytes.count { bytes[bit / 8] &= ~(1 << UInt8(bit % 8)) }
      return bytes
    }
    let disks = ["disk0", "disk1"].map {
      DirtyBitmapDestination.Disk(node: $0, size: diskSize, bitmapNames: [])
    }
    var receiver = DirtyBitmapReceiver(
      DirtyBitmapDestination(disks: disks, mapping: nil), unknownAliases: .refused)
    for chunk in try chunks(bitmaps, sent) { try receiver.take(chunk) }
    let received = try receiver.finish()
    #expect(received.map(\.name) == ["b0", "b1", "b0"])
    for (received, sent) in zip(received, sent) {
      var bytes = [UInt8](repeating: 0, count: sent.count)
      for run in received.runs {
        bytes.replaceSubrange(
          Int(run.byteOffset)..<Int(run.byteOffset) + run.bytes.count, with: run.bytes)
      }
      #expect(bytes == sent)
    }
  }

  @Test func twoSpellingsOfOneLetterAreTwoNames() throws {
    let names = ["caf\u{e9}", "cafe\u{301}"]
    let bitmaps = try names.map { try bitmap("N", $0, granularity: 65536, diskSize: 65536) }
    let disk = DirtyBitmapDestination.Disk(node: "N", size: 65536, bitmapNames: [])
    var receiver = DirtyBitmapReceiver(
      DirtyBitmapDestination(disks: [disk], mapping: nil), unknownAliases: .refused)
    let contents = bitmaps.map { [UInt8](repeating: 0, count: Int($0.contentByteCount)) }
    for chunk in try chunks(bitmaps, contents) { try receiver.take(chunk) }
    #expect(try receiver.finish().map { Array($0.name.utf8) } == names.map { Array($0.utf8) })
  }

  @Test func namesAreLeftOutWhereTheyAreTheSame() throws {
    let bitmaps = try [
      bitmap("N", "A2", granularity: 65536, diskSize: 64 << 20),
      bitmap("N", "A1", granularity: 512, diskSize: 64 << 20),
      bitmap("M", "A1", granularity: 512, diskSize: 512),
    ]
    let chunks = try chunks(
      bitmaps, bitmaps.map { [UInt8](repeating: 0, count: Int($0.contentByteCount)) })
    let names = chunks.map { chunk in
      [chunk.node, chunk.bitmap].map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
        .joined()
    }
    // Bits of A1: 131072 granules, 8192 in each chunk.
    #expect(
      names == ["NA2", "-A1", "MA1", "NA2", "-A1"] + Array(repeating: "--", count: 15) + ["MA1"]
        + ["NA2", "-A1", "MA1"])
  }

  @Test func lastBufferIsPaddedToFourWords() throws {
    let bitmap = try bitmap("N", "A", granularity: 65536, diskSize: 65536 * 65)
    let chunks = try chunks(
      [bitmap], [[UInt8](repeating: 0xff, count: 8) + [1] + [UInt8](repeating: 0, count: 7)])
    guard case .bits(let bits) = chunks[1].body, case .bytes(let bytes) = bits.content else {
      Issue.record("no bits")
      return
    }
    #expect(bytes.count == 32)
    #expect(bits.sectorCount == 65 * 128)
  }

  @Test func aliasesThatHaveNoRoomAreRefused() {
    #expect(throws: StreamError.self) {
      _ = try bitmap("N", String(repeating: "x", count: 256), granularity: 512, diskSize: 512)
    }
    #expect(throws: StreamError.self) { _ = try bitmap("N", "A", granularity: 100, diskSize: 512) }
  }
}
