import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Checks that qemu-img finds nothing wrong with the images, and that it and snapjob see the same
/// snapshots on them.
func expectAgreement(_ nodes: [Node], sourceLocation: SourceLocation = #_sourceLocation) throws {
  for node in nodes {
    let check = try QemuImg.check(node.path)
    #expect(check.isClean, "\(check.text)", sourceLocation: sourceLocation)

    let listed = try Machine(name: nil, nodes: [node]).snapshots()
    var ours: [SnapshotRow] = []
    for listing in listed {
      ours += listing.devices.map {
        SnapshotRow(
          id: $0.id, tag: listing.tag, vmStateSize: Int64($0.vmStateSize),
          dateSeconds: $0.dateSeconds, vmClockNanoseconds: Int64($0.vmClockNanoseconds))
      }
    }
    let theirs = (try QemuImg.info(node.path)["snapshots"]?.array ?? []).map(SnapshotRow.init)
    #expect(Set(ours) == Set(theirs), sourceLocation: sourceLocation)
    #expect(ours.count == theirs.count, sourceLocation: sourceLocation)

    let table = try QemuImg.snapshotTable(node.path)
    for row in ours {
      let isThere = table.split(separator: "\n").contains { line in
        let words = line.split(separator: " ")
        return words.count > 1 && words[0] == row.id && line.contains(row.tag)
      }
      #expect(isThere, "\(row) in \(table)", sourceLocation: sourceLocation)
    }
  }
}

/// What both programs say of a snapshot.
private struct SnapshotRow: Hashable {
  let id: String
  let tag: String
  let vmStateSize: Int64
  let dateSeconds: Int64
  let vmClockNanoseconds: Int64
}

extension SnapshotRow {
  /// Reads qemu-img's `SnapshotInfo`.
  fileprivate init(_ info: JSONValue) {
    id = info["id"]?.string ?? ""
    tag = info["name"]?.string ?? ""
    vmStateSize = info["vm-state-size"]?.int ?? -1
    dateSeconds = info["date-sec"]?.int ?? -1
    vmClockNanoseconds =
      (info["vm-clock-sec"]?.int ?? -1) * 1_000_000_000 + (info["vm-clock-nsec"]?.int ?? 0)
  }
}

/// The guest's content of each image as qemu-img reads it.
func digests(_ nodes: [Node], snapshot: String? = nil) throws -> [String] {
  try nodes.map { node in
    try QemuImg.contentDigest(node.path, snapshot: snapshot.map { "snapshot.name=\($0)" })
  }
}

/// The SHA-256 of each image file.
func fileDigests(_ nodes: [Node]) throws -> [String] {
  try nodes.map { try Command.sha256(ofFile: $0.path) }
}

/// The names of the snapshots of each image, as qemu-img lists them.
func tags(_ nodes: [Node]) throws -> [[String]] {
  try nodes.map { try QemuImg.snapshotNames($0.path) }
}
