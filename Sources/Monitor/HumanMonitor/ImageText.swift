import Qcow2

/// An image as QEMU tells people of it (block/qapi.c, `bdrv_image_info_dump`).
struct ImageText {
  private let image: ImageSummary
  private let path: String

  init(_ image: ImageSummary, path: String) {
    self.image = image
    self.path = path
  }

  /// The lines.
  var text: String {
    var lines = [
      "image: \(path)", "file format: qcow2",
      "virtual size: \(ByteCountText.text(image.virtualSize)) (\(image.virtualSize) bytes)",
      "disk size: \(ByteCountText.text(UInt64(clamping: image.actualSize)))",
    ]
    if image.isEncrypted { lines.append("encrypted: yes") }
    lines.append("cluster_size: \(image.clusterSize)")
    if image.isDirty { lines.append("cleanly shut down: no") }
    if let backingFile = image.backingFile { lines.append("backing file: \(backingFile)") }
    if let format = image.backingFormat { lines.append("backing file format: \(format)") }
    var text = lines.map { "\($0)\n" }.joined()
    if !image.snapshots.isEmpty {
      text += "Snapshot list:\n" + SnapshotText.table(image.snapshots.map(SnapshotText.init))
    }
    return text + "Format specific information:\n" + details.map { "    \($0)\n" }.joined()
  }

  private var details: [String] {
    var details = [
      "compat: \(image.version == 2 ? "0.10" : "1.1")",
      "compression type: \(image.compressionType)",
    ]
    if image.version > 2 { details.append("lazy refcounts: \(image.hasLazyRefcounts)") }
    details.append("refcount bits: \(image.refcountBits)")
    if image.version > 2 {
      details += ["corrupt: \(image.isCorrupt)", "extended l2: \(image.hasExtendedL2)"]
    }
    return details
  }
}
