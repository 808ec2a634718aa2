internal import Jobs

/// A change of one image that is done at once, by no job.
public enum ImageAction: Sendable, Hashable {
  /// A snapshot of one device.
  case snapshot(DeviceSnapshotAction)
  /// A change of dirty bitmaps.
  case bitmap(BitmapAction)

  /// The node's name.
  public var node: String {
    switch self {
    case .snapshot(let action): action.device
    case .bitmap(let action): action.node
    }
  }

  /// The nodes whose bitmaps are only read.
  var sourceNodes: [String] {
    switch self {
    case .snapshot: []
    case .bitmap(let action): action.sourceNodes
    }
  }

  /// The node that the action is about, checked as far as names go and in QEMU's order.
  func node(of machine: Machine) throws(JobError) -> Node {
    switch self {
    case .snapshot(let action): try action.node(of: machine)
    case .bitmap(let action): try action.node(of: machine)
    }
  }
}
