/// What an operation makes of the images, step by step.
struct Stages: Sendable {
  /// For each number of steps done, what each image looks like.
  private(set) var views: [[ImageView]] = []
  /// Whether the save has said that it leaves out the state that was loaded from a file: where the catalog has failed
  /// meanwhile, nobody knows any more that it goes with the disks. Then it must not be there.
  var lacksState = false

  mutating func add(_ views: [ImageView]) { self.views.append(views) }

  /// The stages in which an image looks like this.
  func matching(_ view: ImageView, disk: Int) -> Set<Int> {
    Set(
      views.indices.filter {
        let expected = views[$0][disk]
        return view.agrees(with: lacksState ? expected.withoutState : expected)
      })
  }

  /// Whether an image that qemu-img finds fault with was like that before.
  func excuses(_ view: ImageView, disk: Int) -> Bool {
    views.contains { $0[disk].usability == view.usability && view.agrees(with: $0[disk]) }
  }
}
