public import Jobs

/// An independent reader of guest content, to compare with our own.
public protocol SecondReader: Sendable {
  /// Its name and version, `libqcow 20201213` for example.
  var name: String { get }

  /// Opens the active state of an image.
  ///
  /// - Throws: `JobError` (refused) with the reader's reason if it cannot read this image.
  func open(path: String) throws(JobError) -> any SecondReaderImage
}

/// An image as a second reader has it open. Used by one thread.
public protocol SecondReaderImage {
  /// The virtual size in bytes.
  var size: UInt64 { get }

  /// Fills a buffer with guest bytes from an offset on.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(JobError)
}
