import CSQLiteRecorder
import Glibc
import TestOracles

/// The bytes of a file, in pages that many states share. Pages of zeros are not kept.
struct FileContent: Sendable, Hashable {
  /// Bytes in a page.
  static let pageByteCount = 4096

  /// `SEEK_DATA` of <unistd.h>, which Swift's Glibc does not name.
  private static let seekData: CInt = 3

  /// One page that is not all zeros.
  final class Page: Sendable {
    let bytes: [UInt8]
    let hash: ContentKey

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      hash = ContentKey(of: bytes)
    }
  }

  private(set) var byteCount = 0
  private var pages: [Int: Page] = [:]

  /// An empty file.
  init() {}

  /// Some bytes.
  init(_ bytes: [UInt8]) { write(bytes[...], at: 0) }

  /// The file at a path, or the block device.
  init(of path: String) throws(OracleError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw OracleError("cannot open \(path): errno \(errno)") }
    defer { close(descriptor) }
    let length = Int(lseek(descriptor, 0, SEEK_END))
    var offset = 0
    while offset < length {
      // Holes are passed over where the filesystem tells of them.
      let data = Int(lseek(descriptor, off_t(offset), Self.seekData))
      if data > offset { offset = data / Self.pageByteCount * Self.pageByteCount }
      if data < 0, errno == ENXIO { break }
      var bytes = [UInt8](repeating: 0, count: 64 * Self.pageByteCount)
      let count = pread(descriptor, &bytes, min(bytes.count, length - offset), off_t(offset))
      guard count > 0 else { throw OracleError("cannot read \(path): errno \(errno)") }
      write(bytes[..<count], at: offset)
      offset += count
    }
    setLength(length)
  }

  static func == (left: FileContent, right: FileContent) -> Bool { left.key == right.key }
  func hash(into hasher: inout Hasher) { hasher.combine(key) }

  /// What tells it from other contents.
  var key: ContentKey {
    var key = ContentKey(number: byteCount)
    for (index, page) in pages { key.add(page.hash, at: index) }
    return key
  }

  /// Some of the bytes; zeros beyond the end.
  func bytes(at offset: Int, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: max(0, count))
    var done = 0
    while done < count {
      let place = offset + done
      let start = place % Self.pageByteCount
      let part = min(count - done, Self.pageByteCount - start)
      if let page = pages[place / Self.pageByteCount] {
        bytes.replaceSubrange(done..<done + part, with: page.bytes[start..<start + part])
      }
      done += part
    }
    return bytes
  }

  /// Writes bytes, behind the end too.
  mutating func write(_ bytes: ArraySlice<UInt8>, at offset: Int) {
    var done = 0
    while done < bytes.count {
      let place = offset + done
      let (index, start) = (place / Self.pageByteCount, place % Self.pageByteCount)
      let part = min(bytes.count - done, Self.pageByteCount - start)
      let from = bytes.startIndex + done
      if part == Self.pageByteCount {
        setPage(index, Array(bytes[from..<from + part]))
      } else {
        var page = pages[index]?.bytes ?? [UInt8](repeating: 0, count: Self.pageByteCount)
        page.replaceSubrange(start..<start + part, with: bytes[from..<from + part])
        setPage(index, page)
      }
      done += part
    }
    byteCount = max(byteCount, offset + bytes.count)
  }

  /// Takes over bytes of another content; whole pages are shared.
  mutating func copy(_ count: Int, from other: FileContent, at source: Int, to offset: Int) {
    let size = Self.pageByteCount
    guard source % size == 0, offset % size == 0, count % size == 0 else {
      return write(other.bytes(at: source, count: count)[...], at: offset)
    }
    for index in 0..<count / size {
      pages[offset / size + index] = other.pages[source / size + index]
    }
    byteCount = max(byteCount, offset + count)
  }

  /// Fills a range with zeros.
  mutating func clear(at offset: Int, count: Int) {
    let end = min(offset + count, byteCount)
    var place = offset
    while place < end {
      let part = min(end - place, Self.pageByteCount - place % Self.pageByteCount)
      if part == Self.pageByteCount {
        pages[place / Self.pageByteCount] = nil
      } else if pages[place / Self.pageByteCount] != nil {
        write([UInt8](repeating: 0, count: part)[...], at: place)
      }
      place += part
    }
  }

  /// Cuts the file or lets it grow by zeros.
  mutating func setLength(_ length: Int) {
    if length < byteCount {
      clear(at: length, count: byteCount - length)
      pages = pages.filter { $0.key * Self.pageByteCount < length }
    }
    byteCount = length
  }

  private mutating func setPage(_ index: Int, _ bytes: [UInt8]) {
    let isZero = bytes.withUnsafeBytes { recorder_is_zero($0.baseAddress, $0.count) != 0 }
    pages[index] = isZero ? nil : Page(bytes)
  }

  /// The sectors of 512 bytes in which another content differs, and its length.
  func changes(to other: FileContent) -> [(offset: Int, bytes: [UInt8])] {
    var changes: [(offset: Int, bytes: [UInt8])] = []
    for index in Set(pages.keys).union(other.pages.keys).sorted() {
      if pages[index]?.hash == other.pages[index]?.hash { continue }
      let start = index * Self.pageByteCount
      for offset in stride(from: start, to: start + Self.pageByteCount, by: 512) {
        let new = other.bytes(at: offset, count: 512)
        if bytes(at: offset, count: 512) != new { changes.append((offset, new)) }
      }
    }
    return changes
  }

  /// Puts it into a file, which stays the same file, or onto a block device.
  func write(to path: String) throws(OracleError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw OracleError("cannot open \(path): errno \(errno)") }
    defer { close(descriptor) }
    // A block device keeps what is not written over; everything else begins anew.
    let isFile = ftruncate(descriptor, 0) == 0
    if isFile, ftruncate(descriptor, off_t(byteCount)) != 0 {
      throw OracleError("cannot size \(path): errno \(errno)")
    }
    if !isFile {
      for start in stride(from: 0, to: byteCount, by: Self.pageByteCount)
      where pages[start / Self.pageByteCount] == nil {
        try Self.write(Self.zeros, byteCount, at: start, to: descriptor, path)
      }
    }
    for (index, page) in pages {
      try Self.write(page.bytes, byteCount, at: index * Self.pageByteCount, to: descriptor, path)
    }
  }

  private static let zeros = [UInt8](repeating: 0, count: pageByteCount)

  private static func write(
    _ bytes: [UInt8], _ byteCount: Int, at offset: Int, to descriptor: CInt, _ path: String
  ) throws(OracleError) {
    let count = min(bytes.count, byteCount - offset)
    guard count > 0 else { return }
    guard pwrite(descriptor, bytes, count, off_t(offset)) == count else {
      throw OracleError("cannot write \(path): errno \(errno)")
    }
  }
}
