public import Qcow2

/// Tells device states of stored machines apart: random, and the same on all images that go with one.
public struct DeviceStateID: Sendable, Hashable, CustomStringConvertible {
  /// 32 hexadecimal digits.
  public let description: String

  /// A fresh id.
  public init() { description = CommitID().description }

  /// An id as the catalog has kept it.
  public init(_ description: String) { self.description = description }
}

/// What the catalog notes of an image at one commit: the guest's data on it go with this device state.
///
/// It is kept under the id of the commit that the image's first sector carries. So it need not be undone when a
/// commit is: the image says which of the notes is true.
public struct DeviceStateNote: Sendable, Hashable {
  /// The device state.
  public let state: DeviceStateID
  /// The id of the snapshot of this image that keeps it; nil where another image or a file does.
  public var snapshot: String?
  /// The name of the file beside the catalog in which it waits for the next save; nil where a snapshot keeps
  /// it.
  public var file: String?
  /// Length and times of the image since snapjob wrote it; nil of block devices, and where the process ended
  /// before it could look.
  public var stamp: FileStamp?

  /// Makes a note.
  public init(
    state: DeviceStateID, snapshot: String? = nil, file: String? = nil, stamp: FileStamp? = nil
  ) {
    self.state = state
    self.snapshot = snapshot
    self.file = file
    self.stamp = stamp
  }
}
