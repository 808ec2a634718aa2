internal import DeviceState
internal import Jobs
internal import Qcow2

/// A bitmap of an image that is to be sent.
struct OutgoingBitmap {
  let node: String
  let name: String
  let image: Image
  /// What goes over the wire.
  let wire: DirtyBitmapSender.Bitmap

  /// The bitmaps that a mapping chooses, or all, in the order of nodes and directories.
  ///
  /// - Throws: `JobError` with QEMU's text for a bitmap that cannot be sent.
  static func choose(
    _ members: [OpenImages.Member], _ mapping: BlockBitmapMapping?
  ) throws(JobError) -> [OutgoingBitmap] {
    var chosen: [OutgoingBitmap] = []
    for member in members {
      let entry = mapping?.node(named: member.node.name.description)
      guard mapping == nil || entry != nil else { continue }
      for bitmap in member.image.bitmaps {
        let alias = entry?.bitmap(named: bitmap.name)
        guard mapping == nil || alias != nil else { continue }
        chosen.append(
          try OutgoingBitmap(
            bitmap, of: member, nodeAlias: entry?.alias ?? member.node.name.description, alias))
      }
    }
    return chosen
  }

  private init(
    _ bitmap: Bitmap, of member: OpenImages.Member, nodeAlias: String,
    _ alias: BlockBitmapMapping.Bitmap?
  ) throws(JobError) {
    node = member.node.name.description
    name = bitmap.name
    image = member.image
    guard !bitmap.isInconsistent else {
      throw JobError(
        .conflict,
        "Bitmap '\(name)' is inconsistent and cannot be used (on node '\(node)'). Make it usable: "
          + "\(NextStep(["bitmap", "repair", node, name])); or leave it out by a mapping")
    }
    var flags: DirtyBitmapStartFlags = bitmap.isEnabled ? .enabled : []
    if alias?.transform?.persistent ?? true { flags.insert(.persistent) }
    do throws(StreamError) {
      wire = try DirtyBitmapSender.Bitmap(
        nodeAlias: nodeAlias, alias: alias?.alias ?? name,
        granularity: UInt32(clamping: bitmap.granularity), diskSize: member.image.virtualSize,
        flags: flags)
    } catch {
      throw JobError(error)
    }
  }
}
