import Jobs
import QMP
import Qcow2
import SnapshotJobs

/// A node as `query-named-block-nodes` tells of it (`BlockDeviceInfo` of qapi/block-core.json).
///
/// There are no throttling limits, caches or backing files here; their members have QEMU's values
/// for that. An image that cannot be read has no `image`, and `x-problem` says why.
extension NodeDescription {
  func json(bitmaps: [BitmapDescription]) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("iops_rd", 0), .init("detect_zeroes", "off"),
    ]
    if let image {
      members.append(.init("image", image.json(path: node.path)))
    }
    members += [
      .init("iops_wr", 0), .init("ro", .bool(node.isReadOnly)),
      .init("node-name", .string(node.name.description)), .init("backing_file_depth", 0),
      .init("drv", "qcow2"), .init("iops", 0), .init("bps_wr", 0), .init("write_threshold", 0),
    ]
    if !bitmaps.isEmpty {
      // The newest first, as in QEMU.
      members.append(
        .init("dirty-bitmaps", .array(bitmaps.reversed().map(\.blockDirtyInfo))))
    }
    members += [
      .init("encrypted", .bool(image?.isEncrypted ?? false)), .init("bps", 0),
      .init("bps_rd", 0),
      .init("cache", ["no-flush": false, "direct": false, "writeback": true]),
      .init("file", .string(node.path)), .init("x-excluded", .bool(node.isExcluded)),
    ]
    if let problem { members.append(.init("x-problem", .string(problem.message))) }
    if let holder { members.append(.init("x-holder", .string(holder))) }
    return .object(members)
  }

  /// The type of ``json(bitmaps:)``.
  static let schema = SchemaObject(
    "BlockDeviceInfo",
    ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"].map { .required($0, .integer) } + [
      .required("file", .string), .required("node-name", .string), .required("ro", .boolean),
      .required("drv", .string), .required("backing_file_depth", .integer),
      .required("encrypted", .boolean), .required("detect_zeroes", .string),
      .required("write_threshold", .integer),
      .required(
        "cache",
        .object(
          SchemaObject(
            "BlockdevCacheInfo",
            [
              .required("writeback", .boolean), .required("direct", .boolean),
              .required("no-flush", .boolean),
            ]))),
      .optional(
        "dirty-bitmaps", .array(.object(BitmapDescription.blockDirtyInfoSchema))),
      .optional("image", .object(ImageSummary.schema)), .required("x-excluded", .boolean),
      .optional("x-problem", .string), .optional("x-holder", .string),
    ])
}

extension ImageSummary {
  fileprivate func json(path: String) -> QMPValue {
    var members: [QMPValue.Member] = []
    if !snapshots.isEmpty { members.append(.init("snapshots", .array(snapshots.map(\.json)))) }
    if let backingFile { members.append(.init("backing-filename", .string(backingFile))) }
    if let backingFormat {
      members.append(.init("backing-filename-format", .string(backingFormat)))
    }
    members += [
      .init("virtual-size", QMPValue(virtualSize)), .init("filename", .string(path)),
      .init("cluster-size", .int(Int64(clusterSize))), .init("format", "qcow2"),
      .init("actual-size", .int(actualSize)), .init("format-specific", formatSpecific),
    ]
    if isEncrypted { members.append(.init("encrypted", true)) }
    members.append(.init("dirty-flag", .bool(isDirty)))
    return .object(members)
  }

  private var formatSpecific: QMPValue {
    var members: [QMPValue.Member] = [
      .init("compat", .string(version == 2 ? "0.10" : "1.1")),
      .init("compression-type", .string(compressionType)),
    ]
    if version > 2 { members.append(.init("lazy-refcounts", .bool(hasLazyRefcounts))) }
    // Those that another program has outdated QEMU does not know.
    let known = bitmaps.filter { $0.state != .outdated }
    if !known.isEmpty { members.append(.init("bitmaps", .array(known.map(\.json)))) }
    members.append(.init("refcount-bits", .int(Int64(refcountBits))))
    if version > 2 {
      members.append(.init("corrupt", .bool(isCorrupt)))
      members.append(.init("extended-l2", .bool(hasExtendedL2)))
    }
    return ["type": "qcow2", "data": .object(members)]
  }

  fileprivate static let schema = SchemaObject(
    "ImageInfo",
    [
      .required("filename", .string), .required("format", .string),
      .required("virtual-size", .unsigned), .required("actual-size", .integer),
      .required("dirty-flag", .boolean), .required("cluster-size", .integer),
      .optional("encrypted", .boolean), .optional("backing-filename", .string),
      .optional("backing-filename-format", .string),
      .optional("snapshots", .array(.object(Snapshot.schema))),
      .required(
        "format-specific",
        .object(SchemaObject([.required("type", .string), .required("data", .any)]))),
    ])
}
