extension StreamCursor {
  /// Finds and reads the description at the end of a seekable source; the cursor is left where it is.
  ///
  /// The text goes up to the last byte of the stream and has no control characters, but its length
  /// before it has one: the first of the four bytes is 0, as no text is that long. So the last control
  /// character tells where to look.
  ///
  /// - Returns: nil if the source is not seekable, or does not end with a description.
  mutating func findDescription() throws(StreamError) -> VMDescription? {
    guard let end = byteCount, let start = try descriptionStart(end) else { return nil }
    let here = offset
    defer { seek(to: here) }
    seek(to: start)
    guard let text = try read(byteCount: Int(end - start)) else {
      throw truncated(in: "vmdesc")
    }
    var reader = DescriptionReader(text, at: start)
    return try reader.read()
  }

  /// Where the text begins.
  private mutating func descriptionStart(_ end: UInt64) throws(StreamError) -> UInt64? {
    guard let control = try lastControlCharacter(end) else { return nil }
    // `00 · 06 · length u32 · text`: the control character is one of the length's bytes.
    for start in control + 1...control + 4 where start >= 14 && start < end {
      let bytes = try peek(at: start - 6, 7)
      // A file may have become shorter meanwhile.
      guard bytes.count == 7 else { return nil }
      let length = bytes[2..<6].reduce(0) { $0 << 8 | UInt64($1) }
      if bytes[0] == SectionType.endOfFile.rawValue,
        bytes[1] == SectionType.description.rawValue, bytes[6] == UInt8(ascii: "{"),
        length == end - start
      {
        return start
      }
    }
    return nil
  }

  private mutating func lastControlCharacter(_ end: UInt64) throws(StreamError) -> UInt64? {
    let run = 1 << 16
    var stop = end
    while stop > 0, end - stop <= UInt64(StreamLimits.descriptionByteCount) {
      let start = stop - min(stop, UInt64(run))
      let bytes = try peek(at: start, Int(stop - start))
      if let index = bytes.lastIndex(where: { $0 < 0x20 && $0 != 9 && $0 != 10 && $0 != 13 }) {
        return start + UInt64(index)
      }
      stop = start
    }
    return nil
  }
}
