import TestOracles
import Testing

/// What QEMU's programs do to images that snapjob has touched: what they do to twins that QEMU alone made.
@Suite("Other programs") struct OtherProgramTests {
  @Test(
    "QEMU does to a touched image what it does to a twin that it made alone, and snapjob goes on with it",
    arguments: OtherProgramCell.all)
  func cell(_ cell: OtherProgramCell) throws {
    let release = cell.release
    try release.requirePresence()
    let program = try Program()
    for place in ["touched", "twin"] {
      try Command.run("mkdir", [program.path(place)])
    }
    try cell.format.make(by: release, in: program.path("touched"))
    try Command.run("cp", ["-a", "touched/.", "twin"], directory: program.directory.path)
    try cell.touch.apply(by: program, to: "touched/disk.qcow2")
    try cell.touch.apply(by: release, to: cell.format, in: program.path("twin"))
    let touched = try ObservedImage(by: release, in: program.path("touched"))
    let twin = try ObservedImage(by: release, in: program.path("twin"))
    let differences = touched.differences(from: twin)
    try #require(differences.isEmpty, "before any step: \(differences)")
    #expect(touched.check.status == 0, "\(touched.check.failure())")
    for step in cell.steps {
      let after = try expectSame(step, by: release, before: touched, twinBefore: twin, program)
      if let after, cell.followedSteps.contains(step) {
        try expectUsable(after, after: step, by: release, program)
      }
    }
  }

  /// Takes one step on copies of both images and compares.
  ///
  /// - Returns: the touched image; nil if QEMU leaves such images unclean or unreadable.
  private func expectSame(
    _ step: OtherStep, by release: QemuRelease, before: ObservedImage, twinBefore: ObservedImage,
    _ program: Program
  ) throws -> ObservedImage? {
    let script = "rm -rf a b && cp -a touched a && cp -a twin b"
    try Command.run("sh", ["-c", script], directory: program.directory.path)
    let said = try step.run(by: release, in: program.path("a"))
    let twinSaid = try step.run(by: release, in: program.path("b"))
    #expect(said == twinSaid, "\(step)")
    let touched: ObservedImage
    let twin = try ObservedImage(by: release, in: program.path("b"))
    do {
      touched = try ObservedImage(by: release, in: program.path("a"))
    } catch {
      Issue.record("\(step): \(error)")
      return nil
    }
    let differences = touched.differences(from: twin)
    #expect(differences.isEmpty, "\(step): \(differences)")
    // QEMU itself loses snapshots where it repairs an image with bitmaps.
    if step.keepsSnapshots, twin.losses(since: twinBefore).isEmpty {
      let losses = touched.losses(since: before)
      #expect(losses.isEmpty, "\(step): \(losses)")
    }
    // QEMU leaves bitmaps that nobody can use in an image that it makes one of version 2.
    return twin.check.status == 0 ? touched : nil
  }

  /// snapjob lists and checks the image, and saves, loads and deletes: all other states stay.
  private func expectUsable(
    _ image: ObservedImage, after step: OtherStep, by release: QemuRelease, _ program: Program
  ) throws {
    let name = "a/disk.qcow2"
    let snapjob = { (arguments: [String]) in
      let result = try program.attempt(arguments)
      guard result.status == 0 else { throw OracleError("\(step): \(result.failure())") }
      return result.text
    }
    do {
      let list = try JSONValue(parsing: snapjob(["list", "--json", "--file", name]))
      let tags = list.array?.compactMap { $0["tag"]?.string }.sorted()
      #expect(tags == image.snapshots.keys.sorted(), "\(step)")
      _ = try snapjob(["check", name])
      _ = try snapjob(["save", "--tag", "after", "--file", name])
      try release.run(["qemu-io", "-f", "qcow2", "-c", "write -P 90 100k 300k", program.path(name)])
      _ = try snapjob(["load", "--tag", "after", "--yes", "--file", name])
      let isBack = try ObservedImage.content(by: release, in: program.path("a")) == image.active
      #expect(isBack, "\(step): the loaded state is another")
      _ = try snapjob(["delete", "--tag", "after", "--yes", "--file", name])
      let last = try ObservedImage(by: release, in: program.path("a"))
      let differences = last.snapshotDifferences(from: image)
      #expect(differences.isEmpty, "\(step), and snapjob after it: \(differences)")
      #expect(last.bitmaps.keys.sorted() == image.bitmaps.keys.sorted(), "\(step)")
      #expect(last.check.status == 0, "\(step), and snapjob after it: \(last.check.failure())")
    } catch {
      Issue.record("\(step): \(error)")
    }
  }
}
