import DeviceState
import Testing

@Suite struct RAMWalkTests {
  /// A stream whose only section announces a block of 16 pages and then has what is given.
  private func stream(
    before: (inout StreamText) -> Void = { _ in }, blocks: ((inout StreamText) -> Void)? = nil,
    _ pages: (inout StreamText) -> Void
  ) -> StreamText {
    var text = StreamText()
    before(&text)
    text.addHeader(1, id: 2, "ram", version: 4)
    text.add(UInt64(0x10000 | 0x04))
    if let blocks {
      blocks(&text)
    } else {
      text.add(counted: "pc.ram")
      text.add(UInt64(0x10000))
    }
    pages(&text)
    text.add(UInt64(0x10))
    text.addFooter(2)
    text.add(UInt8(0))
    return text
  }

  private func ram(_ text: StreamText) throws -> RAMSummary {
    let summaries = try [true, false].map { try #require(try text.summary(isSeekable: $0).ram) }
    #expect(summaries[0] == summaries[1])
    return summaries[0]
  }

  private func error(_ text: StreamText) -> StreamError? {
    #expect(throws: StreamError.self) { try text.summary() }
  }

  private let page = [UInt8](repeating: 0x7E, count: 4096)

  @Test func `Every kind of page is passed over`() throws {
    let text = stream { text in
      text.add(UInt64(0x0000 | 0x02))
      text.add(counted: "pc.ram")
      text.add(UInt8(0))
      text.add(UInt64(0x1000 | 0x22), UInt8(0))
      text.add(UInt64(0x2000 | 0x28))
      text.add(page)
      text.add(UInt64(0x3000 | 0x60), UInt8(1), UInt16(3), UInt8(7), UInt8(7), UInt8(7))
      text.add(UInt64(0x200))
      text.add(UInt64(0x4000 | 0x120), Int32(2), UInt8(7), UInt8(7))
      text.add(UInt64(0xF000 | 0x08))
      text.add(counted: "pc.ram")
      text.add(page)
    }
    let ram = try ram(text)
    #expect(ram.zeroPageCount == 2)
    #expect(ram.dataPageCount == 2)
    #expect(ram.encodedPageCount == 2)
    #expect(ram.blocks == [RAMBlock(name: "pc.ram", usedByteCount: 0x10000)])
  }

  @Test func `The page size is that of the configuration`() throws {
    let text = stream(before: { text in
      text.add(UInt8(7), UInt32(3))
      text.add(Array("sun".utf8))
      text.add(UInt8(5))
      text.add(counted: "configuration/target-page-bits")
      text.add(UInt32(1), UInt32(13))
    }) { text in
      text.add(UInt64(0x2000 | 0x08))
      text.add(counted: "pc.ram")
      text.add(page + page)
    }
    let ram = try ram(text)
    #expect(ram.pageByteCount == 8192)
    #expect(ram.dataPageCount == 1)
  }

  @Test func `Blocks of huge pages tell their page size where postcopy was advised`() throws {
    let text = stream(
      before: { $0.add(UInt8(8), UInt16(3), UInt16(16), UInt64(0x20_1000), UInt64(0x1000)) },
      blocks: { text in
        text.add(counted: "huge")
        text.add(UInt64(0x8000), UInt64(0x20_0000))
        text.add(counted: "small")
        text.add(UInt64(0x8000))
      }
    ) { text in
      text.add(UInt64(0x1000 | 0x02))
      text.add(counted: "small")
      text.add(UInt8(0))
    }
    #expect(try ram(text).blocks.map(\.name) == ["huge", "small"])
  }

  @Test func `Blocks tell their address where RAM is not migrated`() throws {
    let text = stream(
      before: { text in
        text.add(UInt8(7), UInt32(2))
        text.add(Array("pc".utf8))
        text.add(UInt8(5))
        text.add(counted: "configuration/capabilities")
        text.add(UInt32(1), UInt32(1))
        text.add(counted: "x-ignore-shared")
      },
      blocks: { text in
        text.add(counted: "pc.ram")
        text.add(UInt64(0x10000), UInt64(0x1_0000_0000))
      }, { _ in })
    #expect(try ram(text).byteCount == 0x10000)
  }

  @Test func `mapped-ram is refused by its name`() {
    var text = StreamText()
    text.add(UInt8(7), UInt32(2))
    text.add(Array("pc".utf8))
    text.add(UInt8(5))
    text.add(counted: "configuration/capabilities")
    text.add(UInt32(1), UInt32(1))
    text.add(counted: "mapped-ram")
    let error = error(text)
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("mapped-ram") == true)
  }

  @Test func `A bad fill is refused with its place`() {
    let error = error(
      stream { text in
        text.add(UInt64(0x1000 | 0x02))
        text.add(counted: "pc.ram")
        text.add(UInt8(7))
      })
    #expect(error?.code == .malformed)
    #expect(error?.message == "a page is filled with 7, not 0")
    #expect(error?.section == "section 'ram' (instance 0, id 2, START)")
  }

  @Test func `Pages outside of their block, or of none, are refused`() {
    let pages: [(inout StreamText) -> Void] = [
      { $0.add(UInt64(0x1000 | 0x22), UInt8(0)) },
      { text in
        text.add(UInt64(0x10000 | 0x02))
        text.add(counted: "pc.ram")
        text.add(UInt8(0))
      },
      { text in
        text.add(UInt64(0x1000 | 0x02))
        text.add(counted: "other")
        text.add(UInt8(0))
      },
    ]
    for page in pages { #expect(error(stream(page))?.code == .malformed) }
  }

  @Test func `Words without a meaning are refused`() {
    for word in [0, 0x1000, 0x01, 0x30, 0x14, 0x400, 0x80, 0x0C] as [UInt64] {
      let error = error(stream { $0.add(word) })
      #expect(error?.code == .malformed || error?.code == .unsupported, "\(word)")
    }
  }

  @Test func `Compressed pages that are larger than any can be, or of another kind, are refused`() {
    let pages: [(flag: UInt64, add: (inout StreamText) -> Void, message: String)] = [
      (0x040, { $0.add(UInt8(2), UInt16(3)) }, "an XBZRLE page of the unknown kind 2"),
      (0x040, { $0.add(UInt8(1), UInt16(4097)) }, "a compressed page of 4097 bytes"),
      (0x100, { $0.add(Int32(5000)) }, "a compressed page of 5000 bytes"),
      (0x100, { $0.add(Int32(-1)) }, "a compressed page of -1 bytes"),
    ]
    for page in pages {
      let error = error(
        stream { text in
          text.add(page.flag)
          text.add(counted: "pc.ram")
          page.add(&text)
        })
      #expect(error?.message.hasPrefix(page.message) == true, "\(error as Any)")
    }
  }

  @Test func `Another version of the format is refused`() {
    var text = StreamText()
    text.addHeader(1, id: 2, "ram", version: 3)
    let error = error(text)
    #expect(error?.code == .unsupported)
    #expect(error?.message == "version 3 of its format is not known")
  }
}
