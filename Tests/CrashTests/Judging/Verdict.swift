/// Compares what is there with what must be there.
struct Verdict {
  let stages: Stages
  /// How many of the images are nodes from the start; the others come into being.
  let diskCount: Int
  private(set) var damages: [(Tally.Damage, String)] = []
  /// The stages that the images can be in together.
  private(set) var possible: Set<Int>

  init(_ stages: Stages, diskCount: Int) {
    self.stages = stages
    self.diskCount = diskCount
    possible = Set(stages.views.indices)
  }

  mutating func note(_ damage: Tally.Damage, _ what: String) { damages.append((damage, what)) }

  /// Before recovery: each image clean or refused with the fence's words, and no mixed set that starts.
  mutating func judgeBefore(_ views: [ImageView]) {
    var isOpen = true
    for (disk, view) in views.prefix(diskCount).enumerated() {
      judgeCleanness(view, disk)
      if view.isUsable {
        narrow(view, disk, "before recovery")
      } else {
        isOpen = false
      }
    }
    if isOpen { judgeMixture("before recovery") }
    possible = Set(stages.views.indices)
  }

  /// After recovery: no fence, clean, all old or all new, and nothing of the others lost.
  mutating func judgeAfter(_ views: [ImageView], _ work: ForeignWork) {
    for (disk, view) in views.prefix(diskCount).enumerated() {
      judgeCleanness(view, disk)
      if view.usability == .fenced { note(.stuck, "disk\(disk) is fenced") }
      if view.usability == .missing { note(.lost, "disk\(disk) is gone") }
      guard view.isUsable else { continue }
      narrow(view, disk, "after recovery")
      let expected = work.bytes[disk] ?? 0
      if view.foreignByte != expected {
        note(
          .lost, "disk\(disk): \(view.foreignByte.map { "\($0)" } ?? "a mixture") for \(expected)")
      }
      if work.snapshots.contains(disk) {
        let theirs = view.snapshots[ImageView.foreignTag]
        if theirs == nil {
          note(.lost, "disk\(disk): the second catalog's snapshot is gone")
        } else if theirs?.disk != view.active {
          note(.bytes, "disk\(disk): the second catalog's snapshot holds something else")
        }
      }
    }
    judgeMixture("after recovery")
  }

  /// What was said about a step must be true of the images.
  mutating func judge(step: Int, hasFailed: Bool, created: ImageView?) {
    if let created {
      if !hasFailed, created != stages.views.last?[diskCount + step] {
        note(.bytes, "the image of step \(step + 1) is not what it shall be: \(created.usability)")
      }
      return
    }
    guard !possible.isEmpty else { return }
    let isTrue = possible.contains { hasFailed ? $0 <= step : $0 > step }
    if !isTrue {
      note(
        .bytes,
        "step \(step + 1) \(hasFailed ? "failed" : "is done"), but the disks are at \(possible)")
    }
  }

  /// What somebody was told to be done is done.
  mutating func judge(acknowledged: Int) {
    if let last = possible.max(), last < acknowledged {
      note(.bytes, "step \(acknowledged) was acknowledged, but the disks are at \(possible)")
    }
  }

  private mutating func judgeCleanness(_ view: ImageView, _ disk: Int) {
    switch view.usability {
    case .unreadable(let text): note(.unclean, "disk\(disk): \(text)")
    case .checked(let status) where status != 0 && !stages.excuses(view, disk: disk):
      note(.unclean, "disk\(disk): qemu-img check ended with \(status)")
    case .checked, .fenced, .missing: break
    }
  }

  private mutating func narrow(_ view: ImageView, _ disk: Int, _ when: String) {
    let matching = stages.matching(view, disk: disk)
    if matching.isEmpty { note(.bytes, "disk\(disk) is neither old nor new \(when)") }
    possible.formIntersection(matching)
  }

  private mutating func judgeMixture(_ when: String) {
    if possible.isEmpty, !damages.contains(where: { $0.0 == .bytes }) {
      note(.mixed, "the disks are at different stages \(when)")
    }
  }
}
