public import DeviceState
private import Glibc
public import Jobs

/// What a transfer of dirty bitmaps is asked to do; kept as the job's `arguments`.
///
/// The corresponding QMP commands are `migrate` and `migrate-incoming`.
public struct BitmapTransferRequest: Sendable, Hashable, Codable {
  /// Which side of a transfer a job is; the raw value is the job's type.
  public enum Direction: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sends the machine's bitmaps, which stay as they are.
    case send = "x-snapjob-bitmap-send"
    /// Receives bitmaps and adds them to the machine's images.
    case receive = "x-snapjob-bitmap-receive"
  }

  /// Which side it is.
  public let direction: Direction
  /// The other side, for messages: `unix:/run/x.sock`, or a machine's name.
  public let peer: String
  /// Under which names bitmaps go over the wire; nil if those are their own, and all are sent.
  public let mapping: BlockBitmapMapping?
  /// receive: aliases that are not known are passed over.
  public var ignoresUnknown = false
  /// send: what the stream says that the machine is, as in `-machine help`; a receiving QEMU compares as many
  /// bytes as there are, so that the empty name suits any.
  public var machineType = ""
  /// What the stream says that the machine's UUID is, or what it has to say; nil if that does not matter.
  public var uuid: String?
  /// send: waits, `ready`, for `job-complete` before the bits are sent.
  public var pausesBeforeSwitchover = false
  /// For how many seconds the other side may do nothing.
  public var patienceSeconds: Int64 = 60
  /// Whether the other side is a job of this process, with which it is committed together: nothing is waited
  /// for then that comes after the commit.
  public var isWithinProcess = false

  /// Makes a request.
  public init(_ direction: Direction, peer: String, mapping: BlockBitmapMapping?) {
    self.direction = direction
    self.peer = peer
    self.mapping = mapping
  }
}

extension BitmapTransferRequest {
  /// The nodes that can take part, in the machine's order: those that are mapped, else all that are not
  /// excluded.
  func nodes(of machine: Machine) -> [Node] {
    machine.nodes.filter { node in
      guard let mapping else { return !node.isExcluded }
      return mapping.node(named: node.name.description) != nil
    }
  }

  /// For how long the other side may do nothing.
  var patience: Duration { .seconds(patienceSeconds) }

  /// Whether the stream comes from another program, and not out of a file.
  var isFromSocket: Bool { !peer.hasPrefix("file:") && !isWithinProcess }
}

extension BitmapTransferRequest {
  /// The other side has gone: if it is a job of this process, its failure is the cause, by which this one is
  /// cancelled.
  ///
  /// - Throws: the cancellation.
  func awaitCause(_ control: JobControl) throws(JobError) {
    guard isWithinProcess else { return }
    let end = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < end {
      try control.checkpoint()
      usleep(10_000)
    }
  }
}

/// Makes the channel of a transfer; blocks until somebody has connected.
public typealias BitmapTransferChannel = @Sendable (JobControl) throws(JobError) -> any ByteChannel

/// What a transfer tells of while it runs.
public enum BitmapTransferStage: Sendable, Hashable {
  /// Both sides are connected.
  case connected
  /// Everything but the bits has been sent, and it waits to be told to go on.
  case pausedBeforeSwitchover
  /// It goes on.
  case switchover
}

/// One bitmap that was sent or received.
public struct TransferredBitmap: Sendable, Hashable, Codable {
  /// The node's name.
  public let node: String
  /// The bitmap's name.
  public let name: String
  /// Bytes of the disk that one bit stands for.
  public let granularity: UInt64
  /// Bytes of the disk that are dirty.
  public let dirtyByteCount: UInt64

  /// Makes a description.
  public init(node: String, name: String, granularity: UInt64, dirtyByteCount: UInt64) {
    self.node = node
    self.name = name
    self.granularity = granularity
    self.dirtyByteCount = dirtyByteCount
  }
}
