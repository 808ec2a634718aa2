import Qcow2
import SnapshotJobs
import TestOracles

/// What a disk holds: the active state, every snapshot and every bitmap, by their content.
struct DiskState: Hashable {
  let size: UInt64
  let active: String
  let snapshots: [String: String]
  let bitmaps: [String: String]

  /// Reads it with the engine.
  init(_ image: Image) throws {
    size = image.virtualSize
    var reader = try GuestReader(image)
    active = try reader.digest()
    var snapshots: [String: String] = [:]
    for (position, snapshot) in image.snapshots.enumerated() {
      var reader = try GuestReader(image, snapshot: position)
      snapshots[snapshot.name] = try reader.digest()
    }
    self.snapshots = snapshots
    var bitmaps: [String: String] = [:]
    for bitmap in image.bitmaps {
      bitmaps[bitmap.name] = try image.bitmapContent(named: bitmap.name).sha256()
    }
    self.bitmaps = bitmaps
  }

  /// Reads it with qemu-img.
  init(accordingToQemu path: String) throws {
    size = UInt64(try QemuImg.info(path)["virtual-size"]?.int ?? 0)
    active = try QemuImg.contentDigest(path)
    var snapshots: [String: String] = [:]
    for name in try QemuImg.snapshotNames(path) {
      snapshots[name] = try QemuImg.contentDigest(path, snapshot: "snapshot.name=\(name)")
    }
    self.snapshots = snapshots
    bitmaps = try QemuBitmaps.digests(path)
  }
}
