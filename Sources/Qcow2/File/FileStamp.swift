/// Length and times of a file: equal stamps mean that nobody has written in between, as far as the
/// filesystem's clock can tell.
public struct FileStamp: Sendable, Hashable, Codable {
  /// Bytes.
  public let length: Int64
  /// Nanoseconds since the epoch.
  public let modified: Int64
  /// Nanoseconds since the epoch.
  public let changed: Int64

  /// Makes a stamp.
  public init(length: Int64, modified: Int64, changed: Int64) {
    self.length = length
    self.modified = modified
    self.changed = changed
  }

  /// Whether nobody has written to the file in between, whatever became of its owner, mode and name.
  public func hasSameContent(as other: FileStamp) -> Bool {
    length == other.length && modified == other.modified
  }
}
