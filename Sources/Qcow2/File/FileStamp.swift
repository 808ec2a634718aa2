/// Length and time of modification of a file: equal stamps mean that nobody has written in between, as far as the
/// filesystem's clock can tell, whatever became of its owner, mode and name.
public struct FileStamp: Sendable, Hashable, Codable {
  /// Bytes.
  public let length: Int64
  /// Nanoseconds since the epoch.
  public let modified: Int64

  /// Makes a stamp.
  public init(length: Int64, modified: Int64) {
    self.length = length
    self.modified = modified
  }
}
