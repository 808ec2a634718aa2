import Jobs
import SnapshotJobs
import TestOracles

/// Other programs at the disks of a workplace.
struct ForeignPrograms {
  let place: Workplace
  let protection: Protection

  private var range: Range<Int> { place.format.foreignRange }

  /// Lets a program do something to one disk; what it is refused has not happened.
  ///
  /// - Returns: whether it was let.
  func perform(_ act: ForeignAct, on disk: Int, byte: UInt8, _ work: inout ForeignWork) throws
    -> Bool
  {
    let path = place.nodes[disk].path
    switch act {
    case .vmWrites:
      let command = "write -P \(byte) \(range.lowerBound) \(range.count)"
      let result = try Command.attempt(
        "qemu-io", ["-f", "qcow2", "-c", command, "-c", "flush", path])
      guard result.status == 0, !result.text.contains("failed") else { return false }
      work.bytes[disk] = byte
    case .overlayCommitted:
      let overlay = place.directory.path("overlay")
      let made = try Command.attempt(
        "qemu-img",
        [
          "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", "-b", path, "-F", "qcow2",
          overlay,
        ])
      guard made.status == 0 else { return false }
      try QemuIO.run(["write -P \(byte) \(range.lowerBound) \(range.count)"], on: overlay)
      let result = try Command.attempt("qemu-img", ["commit", "-q", "-f", "qcow2", overlay])
      guard result.status == 0 else { return false }
      work.bytes[disk] = byte
    case .repaired:
      let result = try Command.attempt(
        "qemu-img", ["check", "-q", "-f", "qcow2", "-r", "all", path])
      guard result.status == 0 else { return false }
    case .secondCatalog:
      guard try saveInSecondCatalog(disk) else { return false }
      work.snapshots.insert(disk)
    case .away, .swapped, .copied: return false
    }
    work.story.append("\(act) on disk\(disk)")
    return true
  }

  private func saveInSecondCatalog(_ disk: Int) throws -> Bool {
    let process = try ProductProcess(
      catalogPath: place.secondCatalogPath, journal: Journal(), protection: protection)
    defer { process.end() }
    let node = place.nodes[disk]
    let request = SnapshotRequest(
      operation: .save, tag: ImageView.foreignTag, devices: [node.name.description], vmstate: nil)
    do throws(JobError) {
      try ImageChange(
        request, on: Machine(name: nil, nodes: [node]), access: process.access
      ).commit()
      return true
    } catch {
      return false
    }
  }
}
