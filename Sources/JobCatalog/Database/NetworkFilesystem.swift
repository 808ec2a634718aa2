import FileNames
import Foundation

/// Filesystems shared between hosts, or between a host and its virtual machines, on which SQLite's write-ahead log does
/// not work: its index is memory shared by the processes of one kernel.
enum NetworkFilesystem {
  /// Looks for the filesystem that a path is on.
  ///
  /// - Parameter path: an absolute path without symbolic links.
  /// - Returns: its type if it is a network filesystem; nil for a local one, or where the mount
  ///   table cannot be read.
  static func type(at path: String) -> String? {
    let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
    return type(at: path, mounts: mounts ?? "")
  }

  /// Types as the mount table names them. Of FUSE only those that reach another host: ntfs-3g,
  /// fuse-overlayfs and the like are local, which statfs(2) could not tell.
  static let types: Set<String> = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph", "lustre", "gpfs",
    "beegfs", "orangefs", "pvfs2", "gfs2", "ocfs2", "acfs", "vboxsf", "vmhgfs", "prl_fs",
    "virtiofs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.ceph", "fuse.s3fs", "fuse.rclone",
    "fuse.gcsfuse", "fuse.curlftpfs", "fuse.davfs", "fuse.juicefs", "fuse.moosefs", "fuse.mfs",
    "fuse.goofys", "fuse.blobfuse", "fuse.blobfuse2", "fuse.mount-s3", "fuse.seaweedfs",
    "fuse.vmhgfs-fuse",
  ]

  /// What ``type(at:)`` finds in a mount table.
  ///
  /// - Parameters:
  ///   - path: an absolute path without symbolic links.
  ///   - mounts: the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
  /// - Returns: the type of a network filesystem, else nil.
  static func type(at path: String, mounts: String) -> String? {
    var best: (byteCount: Int, type: String)?
    for line in mounts.split(separator: "\n") {
      // Fields before the hyphen: id, parent, device, root, mount point, options, optional ones;
      // the type is the first after it.
      let halves = line.components(separatedBy: " - ")
      guard halves.count > 1, let type = halves[1].split(separator: " ").first else { continue }
      let fields = halves[0].split(separator: " ")
      guard fields.count > 4 else { continue }
      let point = unescaped(fields[4])
      let isAbove = path.hasSameBytes(as: point) || path.isPath(below: point)
      // Of two mounts on one directory the later line hides the earlier.
      if isAbove, point.utf8.count >= best?.byteCount ?? 0 {
        best = (point.utf8.count, String(type))
      }
    }
    guard let best, types.contains(best.type) else { return nil }
    return best.type
  }

  /// The mount table writes space, tab, newline and backslash as `\ooo`.
  private static func unescaped(_ field: Substring) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
      .reduce(String(field)) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }
}
