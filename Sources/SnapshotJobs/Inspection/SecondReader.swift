public import Jobs

/// An independent reader of guest content, to compare with our own.
public protocol SecondReader: Sendable {
  /// Its name and version, `libqcow 20201213` for example.
  var name: String { get }

  /// Opens the active state of an image.
  ///
  /// - Throws: ``JobError`` (refused) with the reader's reason if it cannot read this image.
  func open(path: String) throws(JobError) -> any SecondReaderImage
}

/// An image as a second reader has it open. Used by one thread.
public protocol SecondReaderImage {
  /// The virtual size in bytes.
  var size: UInt64 { get }

  /// Fills a buffer with guest bytes from an offset on.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(JobError)
}

/// What a comparison of two readers found.
public struct VerifyReport: Sendable, Hashable {
  /// The file.
  public let path: String
  /// Guest bytes that both readers agree on.
  public let bytesEqual: UInt64
  /// Guest ranges (offset, length) on which they differ; at most 64 are kept.
  public let differences: [Range<UInt64>]
  /// Clusters left out because the second reader misreads or cannot read them, with the reason.
  public let leftOut: [String: UInt64]
  /// Why the second reader could not look at all; nil if it could.
  public let secondReaderProblem: String?
}
