/// What a job on a machine's device state is asked to do; kept as the job's `arguments`.
///
/// The corresponding QMP commands are `xen-save-devices-state` and `xen-load-devices-state` with snapjob's
/// optional `x-…` members.
public struct DeviceStateRequest: Sendable, Hashable, Codable {
  /// The two kinds of job; the raw value is the job's type.
  public enum Operation: String, Sendable, Hashable, Codable, CaseIterable {
    /// Write the state into a file.
    case save = "xen-save-devices-state"
    /// Take the state from a file.
    case load = "xen-load-devices-state"
  }

  /// What to do.
  public let operation: Operation
  /// The file's absolute path.
  public let filename: String
  /// save: the snapshot whose state it is; nil for the machine's present state.
  public var tag: String?
  /// save: everything, and not the devices alone.
  public var withRAM = false
  /// save: sections have footers, as QEMU writes them outside of Xen.
  public var hasFooters = true
  /// save by a running machine: QEMU's `live`; nil to have it chosen so that the machine keeps its images.
  public var live: Bool?
  /// load by a running machine: what ends most QEMUs is taken as a risk.
  public var force = false

  /// Makes a request; the optional members keep their defaults.
  public init(_ operation: Operation, filename: String) {
    self.operation = operation
    self.filename = filename
  }
}
