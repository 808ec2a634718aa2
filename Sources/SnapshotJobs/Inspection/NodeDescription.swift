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
  /// Who has it open for writing (`qemu-system-x86_64 (pid 4711, -name web01)`); nil for nobody.
  public let holder: String?
}

extension Node {
  /// Looks at the node's image without locking it.
  public func describe() -> NodeDescription {
    NodeDescription(
      node: self, image: nil, problem: JobError(.general, "not built"), holder: nil)
  }
}
