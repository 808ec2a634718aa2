import FileNames
import Glibc
import SystemPackage

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

  /// The identity of what a path leads to; nil if that is nothing. It is not opened.
  public init?(atPath path: String) {
    guard let status = try? FilePath(fileName: path).stat() else { return nil }
    self.init(status)
  }

  /// The identity of a file with this status.
  init(_ status: Stat) {
    if status.type == .blockSpecial {
      self.init(device: 0, inode: UInt64(status.rawValue.st_rdev))
    } else {
      self.init(device: UInt64(status.rawValue.st_dev), inode: UInt64(status.rawValue.st_ino))
    }
  }
}
