public import DeviceState
public import Jobs
public import Qcow2
internal import SystemPackage

/// A stored device state as a stream: of a snapshot, or of a file.
public struct StateStream: StreamSource {
  private var state: any VMStateSource

  /// Reads a state at any offset.
  public init(_ state: any VMStateSource) { self.state = state }

  /// Bytes of the state.
  public var byteCount: UInt64? { state.byteCount }

  /// Reads some bytes; the engine's error is the cause of what it throws.
  public mutating func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(StreamError) -> Int {
    do {
      return try buffer.withUnsafeMutableBytes { try state.read(into: $0, at: offset) }
    } catch {
      throw .source(error, at: offset)
    }
  }
}

/// A device state in a file of its own.
public struct StateFile: VMStateSource {
  /// Bytes of the file when it was opened.
  public let byteCount: UInt64
  private let file: any ImageFile

  /// Opens a file for reading.
  ///
  /// - Parameters:
  ///   - path: a regular file or a block device.
  ///   - access: where files come from.
  /// - Throws: `Qcow2Error` with the path.
  public init(
    opening path: String, access: any FileAccess = PosixFileAccess()
  ) throws(Qcow2Error) {
    file = try access.open(path, .read)
    byteCount = UInt64(try file.length())
  }

  /// Opens a file that a user has named.
  ///
  /// - Parameters:
  ///   - path: a regular file or a block device.
  ///   - access: where files come from.
  /// - Returns: the file.
  /// - Throws: `JobError`, with QEMU's text where the system does not open it.
  static func named(
    _ path: String, access: any FileAccess = PosixFileAccess()
  ) throws(JobError) -> StateFile {
    do throws(Qcow2Error) {
      return try StateFile(opening: path, access: access)
    } catch {
      let failure = JobError(error)
      guard let cause = error.cause else { throw failure }
      throw .cannotOpen(path, cause, failure.kind)
    }
  }

  /// Reads from an offset until the buffer is full or the file ends.
  public mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int {
    guard let offset = Int64(exactly: offset) else { return 0 }
    return try file.readAvailable(into: buffer, at: offset)
  }
}

extension JobError {
  /// QEMU's text for a device state's file that the system does not open.
  static func cannotOpen(_ path: String, _ cause: Errno, _ kind: FailureKind) -> JobError {
    JobError(kind, "Unable to open \(path): \(cause)")
  }

  /// A failure of a stream as a job reports it.
  ///
  /// - Parameters:
  ///   - error: the failure; what a source or an output reported is told as such.
  ///   - name: the stream's file or snapshot; it opens the sentence.
  public init(_ error: StreamError, of name: String) {
    if let cause = error.cause {
      self.init(wrapping: cause)
    } else {
      self.init(error.code == .mismatch ? .conflict : .refused, "\(name): \(error)")
    }
  }
}
