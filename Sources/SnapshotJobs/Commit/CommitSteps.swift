internal import Qcow2

/// What follows the commit record, in this order: fence, publish. A commit and its recovery share it.
///
/// Every write is durable before the next step begins. Version 2 images come first, since they cannot be
/// fenced: while one version 3 image is left to do, no VM starts on the whole set.
enum CommitSteps {
  /// One image with the two sectors.
  struct Target: Sendable {
    let image: Image
    let before: FirstSector
    let after: FirstSector
  }

  /// Whether the images of a record are fenced while they are published: not where the guest's disks
  /// stay as they are.
  static func needsFence(_ nature: CommitNature, imageCount: Int) -> Bool {
    nature == .other && imageCount > 1
  }

  /// Publishes images that are ready.
  ///
  /// - Parameters:
  ///   - targets: those that are not published yet.
  ///   - fence: whether to raise the fence first.
  /// - Throws: `Qcow2Error`; some images may be published then, the others are ready or fenced.
  static func publish(_ targets: [Target], fence: Bool) throws(Qcow2Error) {
    if fence {
      for target in targets where target.image.version >= 3 {
        StopPoint.beforeFence.reach()
        try target.image.writeFirstSector(target.before.fenced.bytes)
        StopPoint.afterFence.reach()
      }
    }
    for target in targets.filter({ $0.image.version < 3 })
      + targets.filter({ $0.image.version >= 3 })
    {
      StopPoint.beforePublish.reach()
      try target.image.writeFirstSector(target.after.bytes)
      StopPoint.afterPublish.reach()
    }
  }

  /// Takes images back to the sector before the commit, without its pending id; version 3 last.
  static func takeBack(_ targets: [Target]) throws(Qcow2Error) {
    for target in targets.filter({ $0.image.version < 3 })
      + targets.filter({ $0.image.version >= 3 })
    {
      try target.image.writeFirstSector(target.before.settled.bytes)
    }
  }
}
