/// What tells one file from another within one boot: of a regular file its device and inode, of a
/// block device its device number (`device` is 0 then).
public struct FileIdentity: Hashable, Sendable, Codable {
  /// `st_dev`, or 0 for a block device.
  public let device: UInt64
  /// `st_ino`, or `st_rdev` of a block device.
  public let inode: UInt64

  /// Makes an identity.
  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}
