/// The bits of a dirty bitmap: which parts of a disk have changed.
///
/// One bit stands for `1 << granularityBits` bytes of the disk; the last one may stand for less. Memory is
/// taken only where bits are set, in pages of 4 KiB, and hardly any where all bits of a page are.
///
/// ```
/// page 0           page 1            page 2
/// ┌──────────────┬─────────────────┬──────────────┐
/// │ 512 words    │ absent: clean   │ 512 words    │  bit k is bit k mod 64 of word k / 64
/// └──────────────┴─────────────────┴──────────────┘
/// ```
///
/// Serialised, in images as in migration streams, it is its words in little-endian order.
public struct BitmapContent: Sendable, Hashable {
  /// Bytes of the disk.
  public private(set) var size: UInt64
  /// log2 of the disk's bytes that one bit stands for.
  public let granularityBits: Int
  /// The pages with set bits, by number.
  private var pages: [Int: [UInt64]] = [:]

  private static let pageWordCount = 512
  private static let pageBitCount = UInt64(pageWordCount * UInt64.bitWidth)
  private static let fullPage = [UInt64](repeating: .max, count: pageWordCount)

  /// A bitmap without dirty bits.
  ///
  /// - Parameters:
  ///   - size: bytes of the disk.
  ///   - granularityBits: log2 of the bytes for each bit, 9 to 31.
  /// - Throws: ``Qcow2Error`` (overLimit) for a granularity or a number of bits that QEMU does not allow.
  public init(size: UInt64, granularityBits: Int) throws(Qcow2Error) {
    guard (9...31).contains(granularityBits) else {
      throw .overLimit("a bitmap's granularity is 512 bytes to 2 GiB")
    }
    self.size = size
    self.granularityBits = granularityBits
    guard byteCount <= BitmapLimits.byteCount else {
      throw .overLimit(
        "Too much space will be occupied by the bitmap. Use larger granularity")
    }
  }

  /// Bytes of the disk that one bit stands for.
  public var granularity: UInt64 { 1 << UInt64(granularityBits) }
  /// The number of bits.
  public var bitCount: UInt64 {
    size >> UInt64(granularityBits) + (size & (granularity - 1) == 0 ? 0 : 1)
  }
  /// Bytes of the serialised bits: a multiple of 8, at most 512 MiB.
  public var byteCount: UInt64 { (bitCount + 63) / 64 * 8 }
  /// Whether no bit is set.
  public var isClean: Bool { pages.isEmpty }
  /// The number of set bits.
  public var dirtyBitCount: UInt64 {
    var count: UInt64 = 0
    for page in pages.values {
      if page == Self.fullPage {
        count += Self.pageBitCount
      } else {
        for word in page { count += UInt64(word.nonzeroBitCount) }
      }
    }
    return count
  }
  /// The bytes of the disk that are dirty, as QEMU counts them: whole bits, also the last one.
  public var dirtyByteCount: UInt64 { dirtyBitCount << UInt64(granularityBits) }
  /// Bytes of memory, roughly.
  var memoryByteCount: UInt64 {
    UInt64(pages.values.count { $0 != Self.fullPage }) * UInt64(Self.pageWordCount * 8)
      + UInt64(pages.count) * 64
  }

  /// Whether a byte of the disk is dirty.
  public func contains(_ offset: UInt64) -> Bool {
    guard offset < size else { return false }
    let bit = offset >> UInt64(granularityBits)
    guard let page = pages[Int(bit / Self.pageBitCount)] else { return false }
    let index = bit % Self.pageBitCount
    return page[Int(index / 64)] >> (index % 64) & 1 == 1
  }

  // MARK: Changing

  /// Marks a range of the disk, in bytes, as dirty; what lies beyond the disk is left out.
  public mutating func insert(_ range: Range<UInt64>) {
    let end = min(range.upperBound, size)
    guard range.lowerBound < end else { return }
    insert(
      bits: range.lowerBound >> UInt64(granularityBits)..<((end - 1) >> UInt64(granularityBits)) + 1
    )
  }

  /// Marks the whole disk as dirty.
  public mutating func insertAll() { insert(0..<size) }

  /// Marks nothing as dirty any more.
  public mutating func removeAll() { pages = [:] }

  /// Adds the dirty parts of another bitmap, whose granularity may differ.
  public mutating func formUnion(_ other: BitmapContent) {
    guard other.granularityBits == granularityBits, other.size <= size else {
      other.forEachDirtyRange { insert($0) }
      return
    }
    for (number, page) in other.pages {
      guard let old = pages[number] else {
        pages[number] = page
        continue
      }
      pages[number] = page == Self.fullPage ? page : zip(old, page).map { $0 | $1 }
    }
  }

  /// Gives the bitmap to a disk of another size; what is added is clean.
  ///
  /// - Throws: ``Qcow2Error`` (overLimit) if it would have too many bits; it is as it was then.
  public mutating func resize(to newSize: UInt64) throws(Qcow2Error) {
    var resized = try BitmapContent(size: newSize, granularityBits: granularityBits)
    resized.pages = pages
    resized.cutTail()
    self = resized
  }

  private mutating func insert(bits: Range<UInt64>) {
    var bit = bits.lowerBound
    while bit < bits.upperBound {
      let number = bit / Self.pageBitCount
      let start = number * Self.pageBitCount
      let end = min(bits.upperBound, start + Self.pageBitCount)
      if end - bit == Self.pageBitCount {
        pages[Int(number)] = Self.fullPage
      } else {
        Self.set(
          Int(bit - start)..<Int(end - start),
          in: &pages[Int(number), default: [UInt64](repeating: 0, count: Self.pageWordCount)])
      }
      bit = end
    }
  }

  private static func set(_ bits: Range<Int>, in page: inout [UInt64]) {
    var bit = bits.lowerBound
    while bit < bits.upperBound {
      let count = min(64 - bit % 64, bits.upperBound - bit)
      let ones = count == 64 ? UInt64.max : (1 << UInt64(count)) - 1
      page[bit / 64] |= ones << UInt64(bit % 64)
      bit += count
    }
  }

  /// Clears what lies behind the last bit.
  private mutating func cutTail() {
    let last = Int(bitCount / Self.pageBitCount)
    for number in pages.keys where number > last { pages[number] = nil }
    guard var page = pages[last] else { return }
    let rest = Int(bitCount % Self.pageBitCount)
    for word in page.indices {
      let kept = rest - word * 64
      if kept <= 0 { page[word] = 0 } else if kept < 64 { page[word] &= (1 << UInt64(kept)) - 1 }
    }
    pages[last] = page.contains { $0 != 0 } ? page : nil
  }

  // MARK: Ranges

  /// Calls a body for each dirty range of the disk, in bytes, ascending; no two of them touch.
  public func forEachDirtyRange<Failure>(
    _ body: (Range<UInt64>) throws(Failure) -> Void
  ) throws(Failure) {
    var open: Range<UInt64>?
    for number in pages.keys.sorted() {
      let first = UInt64(number) * Self.pageBitCount
      for run in Self.runs(of: pages[number] ?? []) {
        let bits = first + run.lowerBound..<first + run.upperBound
        if let before = open, before.upperBound == bits.lowerBound {
          open = before.lowerBound..<bits.upperBound
        } else {
          if let before = open { try body(bytes(ofBits: before)) }
          open = bits
        }
      }
    }
    if let open { try body(bytes(ofBits: open)) }
  }

  /// The dirty ranges of the disk, in bytes, ascending; no two of them touch.
  ///
  /// - Throws: ``Qcow2Error`` (overLimit) if there are too many to be kept in memory.
  public func dirtyRanges() throws(Qcow2Error) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    try forEachDirtyRange { (range) throws(Qcow2Error) in
      guard ranges.count < Limits.differenceCount else {
        throw .overLimit("the bitmap has more than \(Limits.differenceCount) separate dirty ranges")
      }
      ranges.append(range)
    }
    return ranges
  }

  private func bytes(ofBits bits: Range<UInt64>) -> Range<UInt64> {
    bits.lowerBound
      << UInt64(granularityBits)..<min(
        size, bits.upperBound << UInt64(granularityBits))
  }

  /// The runs of set bits in a page.
  private static func runs(of page: [UInt64]) -> [Range<UInt64>] {
    if page == fullPage { return [0..<pageBitCount] }
    var runs: [Range<UInt64>] = []
    var start: UInt64?
    for (index, word) in page.enumerated() {
      let first = UInt64(index) * 64
      // A word that goes on as the one before ended.
      if word == 0, start == nil { continue }
      if word == .max, start != nil { continue }
      var position: UInt64 = 0
      while position < 64 {
        if let begun = start {
          let ones = UInt64((~(word >> position)).trailingZeroBitCount)
          guard position + ones < 64 else { break }
          runs.append(begun..<first + position + ones)
          start = nil
          position += ones
        } else {
          let zeros = UInt64((word >> position).trailingZeroBitCount)
          guard position + zeros < 64 else { break }
          position += zeros
          start = first + position
        }
      }
    }
    if let start { runs.append(start..<pageBitCount) }
    return runs
  }

  // MARK: Serialised

  /// Whether a part of the serialised bits has no bit set.
  ///
  /// - Parameter range: in bytes; need not be inside.
  /// - Returns: true if none is.
  public func isClean(serialised range: Range<Int>) -> Bool {
    let pageByteCount = Self.pageWordCount * 8
    for number in range.lowerBound / pageByteCount..<(range.upperBound + pageByteCount - 1)
      / pageByteCount
    {
      guard let page = pages[number] else { continue }
      let start = number * pageByteCount
      let words =
        max(range.lowerBound, start) - start..<min(range.upperBound, start + pageByteCount) - start
      if page[words.lowerBound / 8..<(words.upperBound + 7) / 8].contains(where: { $0 != 0 }) {
        return false
      }
    }
    return true
  }

  /// Whether a part of the serialised bits lies wholly before the last bit, and has all bits set.
  ///
  /// - Parameter range: in bytes; begins and ends at multiples of 8.
  /// - Returns: true if all are.
  func isFull(serialised range: Range<Int>) -> Bool {
    guard UInt64(range.upperBound) * 8 <= bitCount else { return false }
    var isFull = true
    Self.forEachPage(ofWords: range.lowerBound / 8..<range.upperBound / 8) { number, part, _ in
      guard isFull else { return }
      isFull =
        pages[number].map { page in
          page == Self.fullPage || page[part].allSatisfy { $0 == .max }
        } ?? false
    }
    return isFull
  }

  /// A part of the serialised bits; zeros behind their end.
  ///
  /// - Parameter range: in bytes.
  /// - Returns: as many bytes.
  /// - Precondition: the range begins and ends at multiples of 8.
  public func serialised(_ range: Range<Int>) -> [UInt8] {
    precondition(range.lowerBound % 8 == 0 && range.upperBound % 8 == 0, "bits come in whole words")
    var words = [UInt64](repeating: 0, count: range.count / 8)
    let first = range.lowerBound / 8
    Self.forEachPage(ofWords: first..<first + words.count) { number, part, offset in
      guard let page = pages[number] else { return }
      words.replaceSubrange(offset..<offset + part.count, with: page[part])
    }
    Self.swapLittleEndian(&words)
    return words.withUnsafeBytes { Array($0) }
  }

  /// Replaces a part of the serialised bits; what lies behind the last bit is left out.
  ///
  /// - Parameters:
  ///   - bytes: the new bits.
  ///   - offset: where they begin, in bytes.
  /// - Throws: ``Qcow2Error`` (malformed) if the bytes are no whole words, or go beyond ``byteCount``.
  public mutating func replace(_ bytes: [UInt8], at offset: Int) throws(Qcow2Error) {
    guard offset >= 0, offset % 8 == 0, bytes.count % 8 == 0 else {
      throw .malformed("the bits of a bitmap come in words of 64")
    }
    guard UInt64(offset) <= byteCount, UInt64(bytes.count) <= byteCount - UInt64(offset) else {
      throw .malformed("the bits go beyond the end of the bitmap")
    }
    guard !bytes.isEmpty else { return }
    var words = [UInt64](repeating: 0, count: bytes.count / 8)
    words.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
    Self.swapLittleEndian(&words)
    Self.forEachPage(ofWords: offset / 8..<offset / 8 + words.count) { number, part, start in
      let slice = words[start..<start + part.count]
      if part.count == Self.pageWordCount {
        let isFull = slice.allSatisfy { $0 == .max }
        pages[number] =
          isFull ? Self.fullPage : slice.contains { $0 != 0 } ? Array(slice) : nil
      } else if pages[number] != nil || slice.contains(where: { $0 != 0 }) {
        var page = pages[number] ?? [UInt64](repeating: 0, count: Self.pageWordCount)
        page.replaceSubrange(part, with: slice)
        pages[number] = page.contains { $0 != 0 } ? page : nil
      }
    }
    if UInt64(offset + bytes.count) == byteCount { cutTail() }
  }

  /// The SHA-256 of the serialised bits, 64 hexadecimal digits.
  ///
  /// The corresponding QMP command is `x-debug-block-dirty-bitmap-sha256`.
  public func sha256() -> String {
    var hash = ContentHash()
    var done: UInt64 = 0
    let pageByteCount = UInt64(Self.pageWordCount * 8)
    // A disk without bytes has one word all the same (util/hbitmap.c).
    let end = max(byteCount, 8)
    for number in pages.keys.sorted() {
      let start = UInt64(number) * pageByteCount
      hash.update(zeros: start - done)
      done = min(end, start + pageByteCount)
      serialised(Int(start)..<Int(done)).withUnsafeBytes { hash.update($0) }
    }
    hash.update(zeros: end - done)
    return hash.finish()
  }

  /// Calls a body for each page that a range of words touches, with the words inside the page and where
  /// they begin in the range.
  private static func forEachPage(
    ofWords words: Range<Int>, _ body: (_ number: Int, _ part: Range<Int>, _ offset: Int) -> Void
  ) {
    var word = words.lowerBound
    while word < words.upperBound {
      let number = word / pageWordCount
      let start = number * pageWordCount
      let end = min(words.upperBound, start + pageWordCount)
      body(number, word - start..<end - start, word - words.lowerBound)
      word = end
    }
  }

  private static func swapLittleEndian(_ words: inout [UInt64]) {
    guard UInt64(1).littleEndian != 1 else { return }
    for index in words.indices { words[index] = words[index].byteSwapped }
  }
}
