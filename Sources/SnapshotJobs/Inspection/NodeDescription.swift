public import Jobs
public import Qcow2

/// What `query-named-block-nodes` tells of one node's image.
public struct NodeDescription: Sendable {
  /// The node.
  public let node: Node
  /// The image; nil when it cannot be read, `problem` says why then.
  public let image: ImageSummary?
  /// Why the image cannot be read.
  public let problem: JobError?
  /// Who has it open for writing (`qemu-system-x86_64 (pid 4711, -name web01)`); nil for nobody that can
  /// be seen.
  public let holder: String?
}

extension Node {
  /// Looks at the node's image without locking it.
  public func describe() -> NodeDescription {
    do throws(Qcow2Error) {
      let image = try Image.open(path, for: .peek)
      return NodeDescription(
        node: self, image: try image.summary(), problem: nil,
        holder: image.writer()?.description)
    } catch {
      return NodeDescription(
        node: self, image: nil, problem: JobError(error, node: name.description), holder: nil)
    }
  }
}
