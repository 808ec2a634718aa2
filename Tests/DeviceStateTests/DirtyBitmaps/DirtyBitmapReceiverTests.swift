import DeviceState
import Testing

@Suite struct DirtyBitmapReceiverTests {
  /// Two disks of 1 MiB; `disk1` has a bitmap `old`.
  private static let disks = [
    DirtyBitmapDestination.Disk(node: "disk0", size: 1 << 20, bitmapNames: []),
    DirtyBitmapDestination.Disk(
      node: "disk1", size: (1 << 20) + 512, bitmapNames: [Array("old".utf8)]),
  ]

  private func receiver(
    _ mapping: BlockBitmapMapping? = nil,
    unknownAliases: DirtyBitmapReceiver.UnknownAliases = .refused
  ) -> DirtyBitmapReceiver {
    DirtyBitmapReceiver(
      DirtyBitmapDestination(disks: Self.disks, mapping: mapping), unknownAliases: unknownAliases)
  }

  private static func chunk(
    _ node: String?, _ bitmap: String?, _ body: DirtyBitmapChunk.Body
  ) -> DirtyBitmapChunk {
    DirtyBitmapChunk(node: node.map { Array($0.utf8) }, bitmap: bitmap.map { Array($0.utf8) }, body)
  }

  private static let start = DirtyBitmapChunk.Body.start(granularity: 65536, flags: .enabled)

  private static func bits(
    _ first: UInt64 = 0, _ count: UInt32 = 2048, _ content: DirtyBitmapBits.Content = .zeroes
  ) -> DirtyBitmapChunk.Body {
    .bits(DirtyBitmapBits(firstSector: first, sectorCount: count, content))
  }

  private static func word(_ first: UInt8...) -> DirtyBitmapBits.Content {
    .bytes(first + [UInt8](repeating: 0, count: 32 - first.count))
  }

  private func receive(
    _ chunks: [DirtyBitmapChunk], with receiver: DirtyBitmapReceiver
  ) throws -> [ReceivedBitmap] {
    var receiver = receiver
    for chunk in chunks { try receiver.take(chunk) }
    return try receiver.finish()
  }

  @Test func bitmapsComeUnderTheirOwnNamesWithoutAMapping() throws {
    let bitmaps = try receive(
      [
        Self.chunk("disk0", "b0", Self.start),
        Self.chunk("disk1", "b0", .start(granularity: 131072, flags: .persistent)),
        Self.chunk("disk0", "b0", Self.bits(0, 2048, Self.word(0x05, 0x80))),
        Self.chunk(nil, nil, .complete), Self.chunk("disk1", "b0", Self.bits(0, 2049)),
        Self.chunk(nil, nil, .complete), .end,
      ], with: receiver())
    #expect(bitmaps.map(\.node) == ["disk0", "disk1"])
    #expect(bitmaps.map(\.isEnabled) == [true, false])
    #expect(bitmaps.map(\.isPersistent) == [false, true])
    #expect(bitmaps.map(\.granularity) == [65536, 131072])
    #expect(bitmaps[0].runs.map(\.bytes) == [[5, 0x80, 0, 0, 0, 0, 0, 0]])
    #expect(bitmaps[1].runs.isEmpty)
  }

  @Test func aMappingNamesNodesBitmapsAndWhetherTheyAreKept() throws {
    let mapping = try BlockBitmapMapping([
      .init(
        name: "disk1", alias: "A",
        bitmaps: [.init(name: "b", alias: "B", transform: .init(persistent: true))])
    ])
    let bitmaps = try receive(
      [
        Self.chunk("A", "B", Self.start), Self.chunk(nil, nil, Self.bits(0, 2049)),
        Self.chunk(nil, nil, .complete),
      ], with: receiver(mapping))
    #expect(bitmaps.map(\.name) == ["b"])
    #expect(bitmaps.map(\.node) == ["disk1"])
    #expect(bitmaps.map(\.isPersistent) == [true])
  }

  @Test func bitsBeyondTheDiskAreCleared() throws {
    let bitmaps = try receive(
      [
        Self.chunk("disk1", "b", .start(granularity: 65536, flags: [])),
        Self.chunk(nil, nil, Self.bits(0, 2049, Self.word(0xff, 0xff, 0xff, 0xff))),
        Self.chunk(nil, nil, .complete),
      ], with: receiver())
    // 17 granules.
    #expect(bitmaps[0].runs.map(\.bytes) == [[0xff, 0xff, 0x01, 0, 0, 0, 0, 0]])
  }

  /// Chunks that must be refused, and the text.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let text: String
    let chunks: [DirtyBitmapChunk]

    init(_ text: String, _ chunks: [DirtyBitmapChunk]) {
      self.text = text
      self.chunks = chunks
    }

    var testDescription: String { text }
  }

  static let refusals: [Refusal] = {
    let announced = [chunk("disk0", "b", start)]
    return [
      Refusal(
        "Bitmap with the same name ('b') already exists on destination",
        announced + [chunk(nil, nil, start)]),
      Refusal(
        "Bitmap with the same name ('old') already exists on destination",
        [chunk("disk1", "old", start)]),
      Refusal("unknown dirty bitmap 'b' for block device 'disk0'", [chunk("disk0", "b", bits())]),
      Refusal(
        "unknown dirty bitmap 'b' for block device 'disk0'", [chunk("disk0", "b", .complete)]),
      Refusal("block device name is not set", [chunk(nil, nil, start)]),
      Refusal("block device name is not set", [chunk(nil, "b", start)]),
      Refusal("block device name is not set", announced + [chunk("disk1", nil, start)]),
      Refusal("Cannot find device='none' nor node-name='none'", [chunk("none", "b", start)]),
      Refusal(
        "Unknown flags in migrated dirty bitmap header: 80",
        [chunk("disk0", "b", .start(granularity: 512, flags: .init(rawValue: 0x81)))]),
      Refusal(
        "Migrated bitmap granularity doesn't match the destination bitmap 'b' granularity",
        announced + [chunk(nil, nil, bits(0, 2048, .bytes([0, 0, 0, 0])))]),
      Refusal(
        "Migrated bitmap granularity doesn't match the destination bitmap 'b' granularity",
        announced + [chunk(nil, nil, bits(0, 2048, .bytes([UInt8](repeating: 0, count: 64))))]),
      Refusal("Bitmap name cannot be empty", [chunk("disk0", "", start)]),
      Refusal(
        "Bitmap 'b' on node 'disk0' was not sent to its end", announced + [chunk(nil, nil, bits())]),
    ]
  }()

  @Test("what does not fit is refused", arguments: refusals)
  func refused(refusal: Refusal) {
    #expect {
      _ = try receive(refusal.chunks, with: receiver())
    } throws: { error in
      (error as? StreamError)?.message == refusal.text
    }
  }

  @Test(
    "a granularity that is none is refused", arguments: [0, 1, 256, 513, 65535, UInt32.max])
  func granularity(granularity: UInt32) {
    #expect(throws: StreamError.self) {
      _ = try receive(
        [Self.chunk("disk0", "b", .start(granularity: granularity, flags: []))], with: receiver())
    }
  }

  @Test(
    "runs that are not in order, or do not fit, are refused",
    arguments: [
      [(1, 2047)], [(0, 2049)], [(0, 1024), (0, 1024)], [(0, 2048), (2048, 1)], [(0, 0)],
      [(0, 1000)],
      [(UInt64.max, 2048)], [(0, UInt32.max)],
    ] as [[(UInt64, UInt32)]])
  func runs(runs: [(UInt64, UInt32)]) {
    let chunks = runs.map { Self.chunk(nil, nil, Self.bits($0.0, $0.1)) }
    #expect(throws: StreamError.self) {
      _ = try receive(
        [Self.chunk("disk0", "b", Self.start)] + chunks + [Self.chunk(nil, nil, .complete)],
        with: receiver())
    }
  }

  @Test func nothingComesAfterTheEndOfABitmap() {
    let whole = [
      Self.chunk("disk0", "b", Self.start), Self.chunk(nil, nil, Self.bits()),
      Self.chunk(nil, nil, .complete),
    ]
    for last in [Self.bits(), .complete, Self.start] {
      #expect(throws: StreamError.self) {
        _ = try receive(whole + [Self.chunk(nil, nil, last)], with: receiver())
      }
    }
  }

  @Test func unknownAliasesArePassedOverOneByOne() throws {
    let mapping = try BlockBitmapMapping([
      .init(name: "disk0", alias: "A", bitmaps: [.init(name: "b", alias: "B")]),
      .init(name: "gone", alias: "G", bitmaps: [.init(name: "b", alias: "B")]),
    ])
    var receiver = receiver(mapping, unknownAliases: .ignored)
    let others = [("X", "B"), ("A", "C"), ("G", "B")]
    for (node, bitmap) in [("A", "B")] + others {
      try receiver.take(Self.chunk(node, bitmap, Self.start))
    }
    for (node, bitmap) in [("A", "B")] + others {
      // Those that are passed over may be of any size.
      let count: UInt32 = node == "A" && bitmap == "B" ? 2048 : 77
      try receiver.take(Self.chunk(node, bitmap, Self.bits(0, count)))
      try receiver.take(Self.chunk(nil, nil, .complete))
    }
    #expect(try receiver.finish().map(\.name) == ["b"])
    #expect(
      receiver.ignored == [
        "Unknown node alias 'X' (bitmap alias 'B')",
        "Unknown bitmap alias 'C' on node 'disk0' (alias 'A')",
        "Cannot find device='gone' nor node-name='gone' (bitmap alias 'B')",
      ])
    for (node, bitmap) in others {
      var strict = self.receiver(mapping)
      #expect {
        try strict.take(Self.chunk(node, bitmap, Self.start))
      } throws: { error in
        (error as? StreamError)?.code == .notFound
      }
    }
  }

  @Test func aBitmapThatNoImageCouldKeepIsRefusedWhenItIsAnnounced() {
    let disk = DirtyBitmapDestination.Disk(node: "large", size: 1 << 61, bitmapNames: [])
    var receiver = DirtyBitmapReceiver(
      DirtyBitmapDestination(disks: [disk], mapping: nil), unknownAliases: .refused)
    let start = DirtyBitmapChunk.Body.start(granularity: 512, flags: .enabled)
    let error = #expect(throws: StreamError.self) {
      try receiver.take(Self.chunk("large", "b0", start))
    }
    #expect(error?.code == .overLimit)
    #expect(receiver.announcedByteCount == 0)
  }
}
