import ByteCoding

/// A position in a source, with a buffer around it. What is passed over can be given to a tap.
struct StreamCursor: ~Copyable {
  /// Bytes that one read asks for: enough that system calls cost nothing, and small enough to stay in
  /// the processor's cache.
  static let standardCapacity = 1 << 18
  /// The least that a buffer holds: any header, with a footer before it.
  static let minimumCapacity = 1024

  private var source: any StreamSource
  /// The number of bytes of a seekable source.
  let byteCount: UInt64?
  private var buffer: [UInt8]
  /// The stream's offset of the buffer's first byte.
  private var base: UInt64 = 0
  /// The next byte in the buffer.
  private var position = 0
  /// How many bytes of the buffer are filled.
  private var filled = 0
  /// The first byte in the buffer that was not given to the tap.
  private var tapped = 0
  private var tap: StreamOutput?

  init(_ source: any StreamSource, capacity: Int = standardCapacity) {
    self.source = source
    byteCount = source.byteCount
    let wanted = byteCount.map { Int(min($0, UInt64(capacity))) } ?? capacity
    buffer = [UInt8](repeating: 0, count: max(wanted, Self.minimumCapacity))
  }

  /// The stream's offset of the next byte.
  var offset: UInt64 { base + UInt64(position) }

  /// Where the stream ends: its length, or what has been read of it.
  var end: UInt64 { byteCount ?? base + UInt64(filled) }

  /// Whether there are this many bytes, at most ``minimumCapacity``; they are in the buffer then.
  @inline(__always)
  mutating func has(_ count: Int) throws(StreamError) -> Bool {
    if filled - position >= count { return true }
    return try fill(count)
  }

  private mutating func fill(_ count: Int) throws(StreamError) -> Bool {
    try drain()
    for index in position..<filled { buffer[index - position] = buffer[index] }
    base += UInt64(position)
    filled -= position
    position = 0
    tapped = 0
    while filled < count {
      guard try readMore() else { return false }
    }
    return true
  }

  /// Reads as much as one read gives into the rest of the buffer; false at the end.
  private mutating func readMore() throws(StreamError) -> Bool {
    // The buffer is lent out, so that the source and the span of it are not parts of one value.
    var lent: [UInt8] = []
    swap(&lent, &buffer)
    defer { swap(&lent, &buffer) }
    let read: Int
    do {
      var elements = lent.mutableSpan
      var bytes = unsafe elements.mutableBytes
      var rest = bytes._mutatingExtracting(filled...)
      read = try source.read(into: &rest, at: base + UInt64(filled))
    }
    filled += min(max(read, 0), lent.count - filled)
    return read > 0
  }

  /// Reads an integer without passing it.
  ///
  /// - Precondition: ``has(_:)`` said that it is there.
  @inline(__always)
  func peek<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, ahead: Int = 0) -> T {
    unsafe buffer.span.bytes.bigEndian(T.self, at: position + ahead)
  }

  /// Reads an integer; nil if the stream ends before.
  @inline(__always)
  mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(StreamError) -> T? {
    guard try has(MemoryLayout<T>.size) else { return nil }
    let value = peek(T.self)
    position += MemoryLayout<T>.size
    return value
  }

  /// Reads bytes, whose number the caller has checked against a limit; nil if the stream ends before.
  mutating func read(byteCount count: Int) throws(StreamError) -> [UInt8]? {
    if let byteCount, UInt64(count) > byteCount - min(byteCount, offset) { return nil }
    var result: [UInt8] = []
    while result.count < count {
      guard try has(1) else { return nil }
      let run = min(count - result.count, filled - position)
      result += buffer[position..<position + run]
      position += run
    }
    return result
  }

  /// Passes over bytes.
  ///
  /// - Returns: false if the stream ends before.
  @inline(__always)
  mutating func skip(_ count: Int) throws(StreamError) -> Bool {
    if filled - position >= count {
      position += count
      return true
    }
    return try skip(UInt64(count))
  }

  /// Passes over any number of bytes. Those that nobody wants are not read if the source is seekable.
  mutating func skip(_ count: UInt64) throws(StreamError) -> Bool {
    if let byteCount, count > byteCount - min(byteCount, offset) { return false }
    var rest = count
    while rest > 0 {
      if position == filled {
        if tap == nil, byteCount != nil, rest > UInt64(buffer.count) {
          seek(to: offset + rest)
          return true
        }
        guard try fill(1) else { return false }
      }
      let run = min(rest, UInt64(filled - position))
      position += Int(run)
      rest -= run
    }
    return true
  }

  /// Passes over bytes up to the next one of a value, or to the end of what is in the buffer.
  ///
  /// - Returns: whether the next byte has the value; if not, more may follow.
  mutating func skip(to byte: UInt8) -> Bool {
    let end = filled
    var index = position
    do {
      let span = buffer.span
      while index < end, span[index] != byte { index += 1 }
    }
    position = index
    return index < end
  }

  /// Goes to another place of a seekable source.
  mutating func seek(to offset: UInt64) {
    base = offset
    position = 0
    filled = 0
    tapped = 0
  }

  /// Gives all bytes that are passed over from now on to a tap, if there is one.
  mutating func open(_ tap: StreamOutput?) {
    self.tap = tap
    tapped = position
  }

  /// Gives the last bytes to the tap, and closes it.
  mutating func closeTap() throws(StreamError) {
    try drain()
    tap = nil
  }

  /// The bytes after a distance, which are not passed; fewer at the end of the stream. Distance and
  /// number are at most ``minimumCapacity`` together.
  mutating func peek(ahead distance: Int, _ count: Int) throws(StreamError) -> [UInt8] {
    _ = try has(distance + count)
    let start = min(position + distance, filled)
    return Array(buffer[start..<min(start + count, filled)])
  }

  /// Bytes anywhere in a seekable source; fewer at the end of the stream.
  mutating func peek(at offset: UInt64, _ count: Int) throws(StreamError) -> [UInt8] {
    if offset >= base, offset - base + UInt64(count) <= UInt64(filled) {
      let start = Int(offset - base)
      return Array(buffer[start..<start + count])
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var read = 0
    while read < count {
      var elements = bytes.mutableSpan
      var whole = unsafe elements.mutableBytes
      var rest = whole._mutatingExtracting(read...)
      let run = try source.read(into: &rest, at: offset + UInt64(read))
      guard run > 0 else { break }
      read += min(run, count - read)
    }
    return Array(bytes[..<read])
  }

  private mutating func drain() throws(StreamError) {
    guard let tap else { return }
    if tapped < position { try unsafe tap(buffer.span.bytes.extracting(tapped..<position)) }
    tapped = position
  }
}
