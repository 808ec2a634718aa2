/// Where a stream's bytes come from: a file, the VM-state area of an image, a socket, memory.
public protocol StreamSource {
  /// The number of bytes, if any offset can be read; nil for a source that only goes from front to
  /// back, as a socket does.
  ///
  /// It is asked once, when reading starts. With it the description at the stream's end is found
  /// first, which tells exactly where each device ends; without it the footers tell.
  var byteCount: UInt64? { get }

  /// Reads some bytes.
  ///
  /// - Parameters:
  ///   - buffer: its first bytes receive what was read; never empty.
  ///   - offset: from the start of the stream. Of a source without a ``byteCount`` this is always
  ///     the byte after those read before.
  /// - Returns: the number of bytes read: at least 1, at most the buffer's size; 0 only at the end.
  /// - Throws: ``StreamError/source(_:at:)``.
  mutating func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(StreamError) -> Int
}

/// A stream in memory.
public struct BytesSource: StreamSource {
  private let bytes: [UInt8]
  private let isSeekable: Bool

  /// Reads from these bytes.
  ///
  /// - Parameters:
  ///   - bytes: the stream.
  ///   - isSeekable: false to have it read from front to back, as from a socket.
  public init(_ bytes: [UInt8], isSeekable: Bool = true) {
    self.bytes = bytes
    self.isSeekable = isSeekable
  }

  /// The number of bytes; nil if it is not seekable.
  public var byteCount: UInt64? { isSeekable ? UInt64(bytes.count) : nil }

  /// Copies bytes.
  public mutating func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(StreamError) -> Int {
    guard offset < UInt64(bytes.count) else { return 0 }
    let start = Int(offset)
    let count = min(buffer.byteCount, bytes.count - start)
    unsafe buffer.withUnsafeMutableBytes { destination in
      unsafe bytes.withUnsafeBytes { source in
        unsafe destination.copyMemory(from: .init(rebasing: source[start..<start + count]))
      }
    }
    return count
  }
}

/// Takes bytes that are to be written, one run after the other.
///
/// A file or socket that fails throws ``StreamError/output(_:)``.
public typealias StreamOutput = (_ bytes: RawSpan) throws(StreamError) -> Void
