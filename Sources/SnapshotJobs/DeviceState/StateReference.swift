public import DeviceState
public import Jobs
public import Qcow2

/// A stored device state as a user names it.
public enum StateReference: Sendable, Hashable, CustomStringConvertible {
  /// A file with a stream.
  case file(String)
  /// The snapshot of this name, on whichever node of the machine keeps its state.
  case tag(String)

  /// For messages: the path, or `snapshot 'x'`.
  public var description: String {
    switch self {
    case .file(let path): path
    case .tag(let tag): "snapshot '\(tag)'"
    }
  }

  /// What names it in a command.
  var arguments: [String] {
    switch self {
    case .file(let path): [path]
    case .tag(let tag): NextStep.option("--tag", tag)
    }
  }
}

extension Machine {
  /// Reads a stored device state to its last byte, and looks into it.
  ///
  /// Images are not locked; a snapshot that changes meanwhile is read again.
  ///
  /// - Parameters:
  ///   - reference: which state.
  ///   - files: where files come from.
  ///   - body: looks; called again if the image has changed.
  /// - Returns: what the body returned.
  /// - Throws: `JobError`: not found if there is no such file or tag, or the tag is of the disks only;
  ///   refused with offset and section if the stream is damaged.
  public func withState<Value>(
    _ reference: StateReference, files: any FileAccess = PosixFileAccess(),
    _ body: (StreamContents) throws -> Value
  ) throws(JobError) -> Value {
    do {
      switch reference {
      case .file(let path):
        let file = try StateFile.named(path, access: files)
        return try body(StreamContents(reading: StateStream(file)))
      case .tag(let tag):
        let node = try nodeKeepingState(of: tag)
        return try Image.look(at: node.path, access: files) { image in
          guard let position = try image.position(ofTag: tag, on: node) else {
            throw JobError(.notFound, "\(node.name): the snapshot '\(tag)' has gone")
          }
          let state = try VMStateReader(image, snapshot: position)
          return try body(StreamContents(reading: StateStream(state)))
        }
      }
    } catch let error as StreamError {
      throw JobError(error, of: reference.description)
    } catch {
      throw JobError(wrapping: error)
    }
  }

  /// The node whose snapshot of a tag has device state; the one for device state is looked at first.
  func nodeKeepingState(of tag: String) throws(JobError) -> Node {
    let files = name == nil ? ["--file"] + nodes.map(\.path) : []
    var isKnown = false
    let first = nodes.filter { $0.name == vmstate }
    for node in first + nodes.filter({ $0.name != vmstate }) {
      let size = try node.look { image in
        try image.position(ofTag: tag, on: node).map { image.snapshots[$0].vmStateSize }
      }
      guard let size else { continue }
      if size > 0 { return node }
      isKnown = true
    }
    throw JobError(
      .notFound,
      isKnown
        ? "The snapshot '\(tag)' is of the disks only; it has no device state"
        : "Snapshot '\(tag)' does not exist on any node. See: \(NextStep(["list"] + files))")
  }
}
