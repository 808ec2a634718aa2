import CLibqcow
public import Jobs
public import SnapshotJobs

/// libqcow as a second reader of the active state.
///
/// It refuses zstd compression, extended L2 entries and encryption. It misreads clusters with the
/// zero flag (old data instead of zeros): the caller leaves those out of a comparison. It is an
/// alpha-quality parser: hand it only images that the engine has found sound.
public struct LibqcowReader: SecondReader {
  /// Makes one; it has no state.
  public init() {}

  /// `libqcow` and the version that runs.
  public var name: String { "libqcow \(String(cString: libqcow_get_version()))" }

  /// Opens the active state of an image for reading; takes no locks and changes nothing.
  ///
  /// - Parameter path: the image.
  /// - Returns: the open image.
  /// - Throws: `JobError` (refused) with libqcow's reason. An image with a backing file is refused:
  ///   libqcow would need the file opened, and names inside images are never opened.
  public func open(path: String) throws(JobError) -> any SecondReaderImage {
    try LibqcowImage(path: path)
  }
}
