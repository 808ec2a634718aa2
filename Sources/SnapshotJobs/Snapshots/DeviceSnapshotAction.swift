/// A snapshot of one device, taken or removed at once: no job, and no device state.
///
/// The corresponding QMP commands are `blockdev-snapshot-internal-sync` (also as an action of
/// `transaction`) and `blockdev-snapshot-delete-internal-sync`.
public enum DeviceSnapshotAction: Sendable, Hashable {
  /// Takes a snapshot of a node.
  case take(device: String, name: String)
  /// Removes the snapshot with this id and name; one of the two may be left open.
  case delete(device: String, id: String?, name: String?)

  /// The node's name.
  public var device: String {
    switch self {
    case .take(let device, _), .delete(let device, _, _): device
    }
  }
}
