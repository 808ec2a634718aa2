internal import Jobs
internal import Qcow2

extension Image {
  /// The position of the snapshot that is called so, by name and never by id; nil if there is none.
  ///
  /// - Parameters:
  ///   - tag: the name, byte for byte.
  ///   - node: the image's node, for the message.
  /// - Returns: the position in the snapshot table.
  /// - Throws: `JobError` (conflict) if there are several.
  func position(ofTag tag: String, on node: Node) throws(JobError) -> Int? {
    let snapshots = self.snapshots
    let found = snapshots.indices.filter { snapshots[$0].isCalled(tag) }
    guard found.count < 2 else {
      throw JobError(
        .conflict,
        "\(node.name): \(path) has \(found.count) snapshots called '\(tag)' (ids "
          + found.map { snapshots[$0].id }.joined(separator: ", ")
          + "). Name the one that is meant by its id: load or delete it with --id ID --device \(node.name)"
      )
    }
    return found.first
  }
}

extension Node {
  /// Looks at the node's image without locking it; again if it changes meanwhile.
  ///
  /// - Parameter body: reads.
  /// - Returns: what the body returned.
  /// - Throws: `JobError` that names the node.
  func look<Value>(_ body: (Image) throws -> Value) throws(JobError) -> Value {
    do {
      return try Image.look(at: path, body)
    } catch {
      throw JobError(wrapping: error, node: name.description)
    }
  }
}
