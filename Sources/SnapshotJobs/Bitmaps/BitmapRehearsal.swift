public import Jobs
internal import Qcow2

extension Machine {
  /// Tries actions on bitmaps without changing anything, and without locking the images: what a client is told
  /// at once, before the jobs that the actions belong to are made. An image that cannot be looked at is left
  /// to them.
  ///
  /// - Throws: `JobError` with QEMU's text for the first action that cannot be done.
  public func rehearse(_ actions: [BitmapAction]) throws(JobError) {
    let names = actions.flatMap { [$0.node] + $0.sourceNodes }
    let members = nodes.filter { names.contains($0.name.description) }.compactMap { node in
      (try? Image.open(node.path, for: .peek)).map { OpenImages.Member(node: node, image: $0) }
    }
    var editing = BitmapEditing(members.map { _ in nil }, of: members, sources: [])
    for action in actions {
      let node = try action.node(of: self)
      for source in action.sourceNodes where self.node(source) == nil {
        throw .bitmapNodeNotFound(source)
      }
      let isOpen = { (name: String) in members.contains { $0.node.name.description == name } }
      if isOpen(node.name.description), action.sourceNodes.allSatisfy(isOpen) {
        try editing.perform(action)
      }
    }
  }
}
