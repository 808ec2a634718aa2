/// A failure of reading or writing a stream: what is wrong, where, in which section, and why.
public struct StreamError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure; stable, unlike the message.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The bytes do not start as a QEVM stream does.
    case notAStream
    /// A version or feature that this program does not have.
    case unsupported
    /// A field has a value that the format does not allow.
    case malformed
    /// The stream ends where more is expected.
    case truncated
    /// A size or number is above one of ``StreamLimits``.
    case overLimit
    /// It speaks of something that does not exist here.
    case notFound
    /// It brings something that exists here already.
    case exists
    /// Two streams do not fit together.
    case mismatch
    /// The source could not be read; the cause says why.
    case source
    /// The output could not be written; the cause says why.
    case output
  }

  /// The kind of failure.
  public let code: Code
  /// What is wrong, without the place.
  public let message: String
  /// The byte of the stream that the failure is about; nil if it is about none.
  public let offset: UInt64?
  /// The section that the byte is in, as ``SectionHeader`` describes itself; nil outside of sections.
  public let section: String?
  /// What a source or an output reported.
  public let cause: (any Error)?

  /// Makes an error.
  public init(
    _ code: Code, _ message: String, at offset: UInt64? = nil, section: String? = nil,
    cause: (any Error)? = nil
  ) {
    self.code = code
    self.message = message
    self.offset = offset
    self.section = section
    self.cause = cause
  }

  /// What a ``StreamSource`` throws when its file or socket fails.
  public static func source(_ cause: any Error, at offset: UInt64) -> StreamError {
    StreamError(.source, "\(cause)", at: offset, cause: cause)
  }

  /// What a ``StreamOutput`` throws when its file or socket fails.
  public static func output(_ cause: any Error) -> StreamError {
    StreamError(.output, "\(cause)", cause: cause)
  }

  /// The place, then what is wrong. What a source or an output reported has a place of its own.
  public var description: String {
    if cause != nil { return message }
    let place = offset.map { "offset 0x" + String($0, radix: 16) }
    let subject = [place, section].compactMap(\.self).joined(separator: ", ")
    return subject.isEmpty ? message : "\(subject): \(message)"
  }
}
