/// Passes over the sections of guest RAM, word by word, as migration/ram.c writes them.
///
/// ```
/// word u64      address | flags
/// ZERO          [block] 00
/// PAGE          [block] page
/// MEM_SIZE      n u8 · name[n] · used u64 · [page size u64] · [address u64]   until the total is reached
/// XBZRLE        [block] 01 · n u16 · bytes[n]
/// COMPRESS_PAGE [block] n s32 · bytes[n]
/// EOS           nothing; the section's payload ends
///
/// [block]       n u8 · name[n], unless the flag CONTINUE is set
/// ```
struct RAMWalk: Sendable {
  /// What has been seen.
  var summary = RAMSummary()
  /// Whether each block tells its address (the capability `x-ignore-shared`).
  var tellsAddresses = false
  /// Whether blocks may tell their page size (postcopy of RAM was advised).
  var tellsPageSizes = false
  private var indices: [String: Int] = [:]
  /// Addresses below this one are in the current block; 0 without a block.
  private var limit: UInt64 = 0

  /// Passes over one section's payload.
  mutating func pass(
    _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    let pageByteCount = Int(summary.pageByteCount)
    let mask = summary.pageByteCount - 1
    while let word = try cursor.read(UInt64.self) {
      let address = word & ~mask
      let flags = word & mask
      switch flags & ~RAMFlag.sameBlock {
      case RAMFlag.page:
        try enterBlock(flags, address, section, &cursor)
        guard try cursor.skip(pageByteCount) else { throw cursor.truncated(in: section.place) }
        summary.dataPageCount += 1
      case RAMFlag.zero:
        try enterBlock(flags, address, section, &cursor)
        guard let fill = try cursor.read(UInt8.self) else {
          throw cursor.truncated(in: section.place)
        }
        guard fill == 0 else {
          throw StreamError(
            .malformed, "a page is filled with \(fill), not 0", at: cursor.offset - 1,
            section: section.place)
        }
        summary.zeroPageCount += 1
      case RAMFlag.difference, RAMFlag.compressed:
        try enterBlock(flags, address, section, &cursor)
        try passEncoded(flags, section, &cursor)
        summary.encodedPageCount += 1
      default:
        if word == RAMFlag.endOfSection { return }
        if word == RAMFlag.multifdFlush { continue }
        try passOther(word, flags, address, section, &cursor)
      }
    }
    throw cursor.truncated(in: section.place)
  }

  /// Finds the block of a page, and checks that the page lies in it.
  @inline(__always)
  private mutating func enterBlock(
    _ flags: UInt64, _ address: UInt64, _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    if flags & RAMFlag.sameBlock == 0 { try readBlock(section, &cursor) }
    guard address < limit else { throw outside(address, section, cursor.offset) }
  }

  private mutating func readBlock(
    _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    let start = cursor.offset
    let name = try cursor.readCounted(in: section.place)
    guard let index = indices[name] else {
      throw StreamError(
        .malformed, "a page of RAM block '\(name)', which was not announced", at: start,
        section: section.place)
    }
    // A block's last page is whole even if its used length is not.
    limit = summary.blocks[index].usedByteCount
  }

  private func outside(
    _ address: UInt64, _ section: SectionHeader, _ offset: UInt64
  ) -> StreamError {
    StreamError(
      .malformed,
      limit == 0
        ? "a page that belongs to no RAM block"
        : "a page at 0x\(String(address, radix: 16)), beyond the end of its RAM block (\(limit) bytes)",
      at: offset, section: section.place)
  }

  private mutating func passEncoded(
    _ flags: UInt64, _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    let start = cursor.offset
    let count: Int
    // Compressed bytes can be more than the page; `compressBound` of zlib says by how much at most.
    let limit: Int
    let pageByteCount = Int(summary.pageByteCount)
    if flags & RAMFlag.difference != 0 {
      guard let kind = try cursor.read(UInt8.self), let length = try cursor.read(UInt16.self)
      else { throw cursor.truncated(in: section.place) }
      guard kind == 1 else {
        throw StreamError(
          .malformed, "an XBZRLE page of the unknown kind \(kind)", at: start,
          section: section.place)
      }
      count = Int(length)
      limit = pageByteCount
    } else {
      guard let length = try cursor.read(Int32.self) else {
        throw cursor.truncated(in: section.place)
      }
      count = Int(length)
      limit = pageByteCount + pageByteCount >> 12 + pageByteCount >> 14 + 13
    }
    guard (0...limit).contains(count) else {
      throw StreamError(
        .malformed, "a compressed page of \(count) bytes; at most \(limit) are possible", at: start,
        section: section.place)
    }
    guard try cursor.skip(count) else { throw cursor.truncated(in: section.place) }
  }

  private mutating func passOther(
    _ word: UInt64, _ flags: UInt64, _ address: UInt64, _ section: SectionHeader,
    _ cursor: inout StreamCursor
  ) throws(StreamError) {
    let start = cursor.offset - 8
    switch flags {
    case RAMFlag.memorySize where section.kind == .start && summary.blocks.isEmpty:
      try passBlocks(total: address, section, &cursor)
    case RAMFlag.memorySize:
      throw StreamError(
        .malformed, "RAM blocks are announced again", at: start, section: section.place)
    case RAMFlag.hook:
      throw StreamError(
        .unsupported, "a hook of an RDMA migration, which is never in files", at: start,
        section: section.place)
    default:
      throw StreamError(
        .malformed, "a word with the unknown flags 0x\(String(flags, radix: 16))", at: start,
        section: section.place)
    }
  }

  private mutating func passBlocks(
    total: UInt64, _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    guard total <= StreamLimits.ramByteCount else {
      throw StreamError(
        .overLimit, "\(total) bytes of RAM; the limit is \(StreamLimits.ramByteCount)",
        at: cursor.offset - 8, section: section.place)
    }
    var rest = total
    while rest > 0 {
      let start = cursor.offset
      let name = try cursor.readCounted(in: section.place)
      guard let used = try cursor.read(UInt64.self) else {
        throw cursor.truncated(in: section.place)
      }
      guard used <= rest else {
        throw StreamError(
          .malformed,
          "RAM block '\(name)' has \(used) bytes, but \(rest) are left of the \(total) announced",
          at: start, section: section.place)
      }
      guard indices.updateValue(summary.blocks.count, forKey: name) == nil else {
        throw StreamError(
          .malformed, "RAM block '\(name)' is announced twice", at: start, section: section.place)
      }
      guard summary.blocks.count < StreamLimits.ramBlockCount else {
        throw StreamError(
          .overLimit, "more than \(StreamLimits.ramBlockCount) RAM blocks", at: start,
          section: section.place)
      }
      summary.blocks.append(RAMBlock(name: name, usedByteCount: used))
      rest -= used
      try passBlockOptions(section, &cursor)
    }
  }

  /// Passes over what may follow a block's length.
  private func passBlockOptions(
    _ section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    if tellsPageSizes, try cursor.has(8) {
      // Only blocks of huge pages tell their page size. It is a power of two: the name of the next
      // block would have its length in the first byte, a word of pages would have a flag.
      let word = cursor.peek(UInt64.self)
      if word.nonzeroBitCount == 1, word > summary.pageByteCount, word < 1 << 48 {
        _ = try cursor.skip(8)
      }
    }
    if tellsAddresses {
      guard try cursor.skip(8) else { throw cursor.truncated(in: section.place) }
    }
  }
}
