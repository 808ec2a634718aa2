/// Passes over one section of dirty bitmaps, chunk by chunk, as migration/block-dirty-bitmap.c writes
/// them. What the chunks say is not looked at.
///
/// ```
/// chunk      flags u8, u16 or u32 · [n u8 · node alias[n]] · [n u8 · bitmap alias[n]] · body
/// START      granularity u32 · flags u8
/// COMPLETE   nothing
/// BITS       first sector u64 · sectors u32 · unless ZEROES: n u64 · bits[n]
/// EOS        the section's payload ends
/// ```
struct DirtyBitmapWalk {
  let section: SectionHeader

  func pass(_ cursor: inout StreamCursor) throws(StreamError) {
    while true {
      let flags = try readFlags(&cursor)
      if flags & Flag.deviceName != 0 { try passName(&cursor) }
      if flags & Flag.bitmapName != 0 { try passName(&cursor) }
      if flags & Flag.start != 0 {
        try skip(5, &cursor)
      } else if flags & Flag.complete == 0, flags & Flag.bits != 0 {
        try skip(12, &cursor)
        if flags & Flag.zeroes == 0 { try passBits(&cursor) }
      }
      if flags & Flag.endOfSection != 0 { return }
    }
  }

  private enum Flag {
    static let endOfSection: UInt32 = 0x01
    static let zeroes: UInt32 = 0x02
    static let bitmapName: UInt32 = 0x04
    static let deviceName: UInt32 = 0x08
    static let start: UInt32 = 0x10
    static let complete: UInt32 = 0x20
    static let bits: UInt32 = 0x40
    /// More bytes of flags follow.
    static let more: UInt32 = 0x80
    static let known = endOfSection | zeroes | bitmapName | deviceName | start | complete | bits
  }

  /// Reads the flags: one byte; two if the first has its highest bit set; four if the second has, too.
  private func readFlags(_ cursor: inout StreamCursor) throws(StreamError) -> UInt32 {
    let start = cursor.offset
    guard let first = try cursor.read(UInt8.self) else { throw cursor.truncated(in: section.place) }
    var flags = UInt32(first)
    var marks: UInt32 = 0
    if flags & Flag.more != 0 {
      guard let second = try cursor.read(UInt8.self) else {
        throw cursor.truncated(in: section.place)
      }
      flags = flags << 8 | UInt32(second)
      marks = Flag.more << 8
      if UInt32(second) & Flag.more != 0 {
        guard let rest = try cursor.read(UInt16.self) else {
          throw cursor.truncated(in: section.place)
        }
        flags = flags << 16 | UInt32(rest)
        marks = (Flag.more << 8 | Flag.more) << 16
      }
    }
    flags &= ~marks
    guard flags & ~Flag.known == 0, flags != 0 else {
      throw StreamError(
        .malformed, "a chunk with the unknown flags 0x\(String(flags, radix: 16))", at: start,
        section: section.place)
    }
    return flags
  }

  private func passName(_ cursor: inout StreamCursor) throws(StreamError) {
    guard let count = try cursor.read(UInt8.self) else {
      throw cursor.truncated(in: section.place)
    }
    try skip(Int(count), &cursor)
  }

  private func passBits(_ cursor: inout StreamCursor) throws(StreamError) {
    let start = cursor.offset
    guard let count = try cursor.read(UInt64.self) else {
      throw cursor.truncated(in: section.place)
    }
    guard count <= StreamLimits.bitmapChunkByteCount else {
      throw StreamError(
        .overLimit,
        "Bitmap migration stream buffer allocation request is too large: \(count) bytes; the limit is "
          + "\(StreamLimits.bitmapChunkByteCount)", at: start, section: section.place)
    }
    try skip(Int(count), &cursor)
  }

  private func skip(_ count: Int, _ cursor: inout StreamCursor) throws(StreamError) {
    guard try cursor.skip(count) else { throw cursor.truncated(in: section.place) }
  }
}
