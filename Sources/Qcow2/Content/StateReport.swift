/// What was found when a state, the active one or a snapshot's, was read to its end.
public struct StateReport: Sendable, Hashable {
  /// The disk's size in bytes.
  public let size: UInt64
  /// Bytes of the disk that were read, or are zeros by the tables.
  public internal(set) var bytesRead: UInt64 = 0
  /// Bytes of the disk that come from the backing file, which was not opened.
  public internal(set) var bytesFromBackingFile: UInt64 = 0
  /// Bytes of the disk that are encrypted and were not read.
  public internal(set) var bytesEncrypted: UInt64 = 0
  /// Bytes of VM state that were read, or are zeros by the tables; its encrypted bytes are not.
  public internal(set) var vmStateBytesRead: UInt64 = 0
  /// The SHA-256 of the disk as `sha256sum` prints it for a raw copy; nil unless it was asked for, all of
  /// it was read and nothing is wrong.
  public internal(set) var digest: String?
  /// Whether a cluster stands for two parts of the state: then nobody knows whose it is.
  public internal(set) var usesClustersTwice = false
  /// The first problems in the order they were found.
  public internal(set) var problems: [ContentProblem] = []
  /// All problems.
  public internal(set) var problemCount = 0

  /// Makes an empty report of a disk of this size.
  public init(size: UInt64) { self.size = size }
}
