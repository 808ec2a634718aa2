public import SystemPackage

/// The bytes of one image, as the engine reads and writes them.
///
/// One thread at a time uses a file; it may be handed from thread to thread. ``PosixFile`` is the
/// real one; a test puts its own in its place to see every write, or to lose those that were not
/// made durable.
public protocol ImageFile: AnyObject, Sendable {
  /// The path as it was opened, for messages.
  var path: String { get }
  /// Whether it was opened for writing.
  var isWritable: Bool { get }
  /// Whether it is a block device: its length is fixed.
  var isBlockDevice: Bool { get }
  /// What tells it from other files; two paths to one file have the same.
  var identity: FileIdentity { get }
  /// What carries its locks; nil for a file that no other program can reach.
  var descriptor: FileDescriptor? { get }

  /// Its length now, in bytes.
  func length() throws(Qcow2Error) -> Int64

  /// Its length and time of modification now.
  func stamp() throws(Qcow2Error) -> FileStamp

  /// The bytes that it occupies now; less than its length if it has holes.
  func allocatedByteCount() throws(Qcow2Error) -> Int64

  /// Whether a range may have other bytes than zeros; false where its storage knows that it is a hole.
  func hasData(at offset: Int64, byteCount: Int) -> Bool

  /// Reads from an offset until the buffer is full or the file ends.
  ///
  /// - Parameters:
  ///   - buffer: its first bytes receive what was read; the others are left as they are.
  ///   - offset: in bytes; beyond the end nothing is read.
  /// - Returns: the number of bytes read; less than the buffer's size only at the end of the file.
  /// - Throws: ``Qcow2Error`` (io) with the offset that could not be read.
  func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int

  /// Writes all bytes at an offset; the file grows if they go beyond its end.
  ///
  /// If it throws, any part of the range may have been written.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error)

  /// Waits until everything written so far, length and times included, is on stable storage.
  ///
  /// If it throws, nobody knows which of the writes since the last success are there. Another call
  /// may succeed and says nothing about them: the kernel reports a lost write once.
  func synchronize() throws(Qcow2Error)

  /// Cuts the file, or lets it grow by zeros, to a length in bytes.
  func setLength(_ length: Int64) throws(Qcow2Error)

  /// Whether the filesystem has room for writing a few blocks over ones that are there: a copy-on-write
  /// filesystem needs some, and so does a file whose blocks are shared with a clone.
  func hasRoomForRewrite() throws(Qcow2Error) -> Bool

  /// Gives the space of a range back to the filesystem; it reads as zeros then.
  ///
  /// - Returns: false if the file's storage cannot do that; nothing has changed then.
  func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool
}

extension ImageFile {
  /// Nothing is known of holes.
  public func hasData(at offset: Int64, byteCount: Int) -> Bool { true }

  /// What is written in place needs no room.
  public func hasRoomForRewrite() throws(Qcow2Error) -> Bool { true }

  /// Fills a buffer from an offset on.
  ///
  /// - Throws: ``Qcow2Error`` (malformed) if the file ends before the buffer is full.
  public func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) {
    let count = try readAvailable(into: buffer, at: offset)
    guard count == buffer.count else {
      throw Qcow2Error(
        .malformed, "the file ends where \(buffer.count) bytes are expected; it is truncated",
        path: path, offset: UInt64(clamping: offset))
    }
  }

  /// Fills a buffer from an offset on, with zeros beyond the end of the file.
  public func readZeroPadded(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) {
    let count = try readAvailable(into: buffer, at: offset)
    UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      .initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Reads bytes from an offset on.
  ///
  /// - Parameters:
  ///   - count: how many; the caller has checked it against a limit.
  ///   - offset: in bytes.
  /// - Returns: exactly that many bytes.
  /// - Throws: ``Qcow2Error`` (malformed) if the file ends before.
  public func read(byteCount count: Int, at offset: Int64) throws(Qcow2Error) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    try span.withUnsafeMutableBytes { (buffer) throws(Qcow2Error) in
      try read(into: buffer, at: offset)
    }
    return bytes
  }

  /// Reads bytes from an offset on; zeros beyond the end of the file.
  public func readZeroPadded(byteCount count: Int, at offset: Int64) throws(Qcow2Error) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    try span.withUnsafeMutableBytes { (buffer) throws(Qcow2Error) in
      _ = try readAvailable(into: buffer, at: offset)
    }
    return bytes
  }

  /// Writes all bytes at an offset; if it throws, any part of them may have been written.
  public func write(_ bytes: [UInt8], at offset: Int64) throws(Qcow2Error) {
    try write(bytes.span.bytes, at: offset)
  }

  /// Writes all bytes at an offset; if it throws, any part of them may have been written.
  public func write(_ bytes: RawSpan, at offset: Int64) throws(Qcow2Error) {
    try bytes.withUnsafeBytes { (buffer) throws(Qcow2Error) in try write(buffer, at: offset) }
  }
}
