public import QMP

/// A connection to a running machine's monitor. A monitor serves one client at a time, so it is held only
/// while it is needed.
public struct LiveConnection: Sendable {
  /// The monitor.
  public let endpoint: any QMPEndpoint
  /// Ends the connection; to be called once.
  public let close: @Sendable () async -> Void

  /// Makes a connection.
  public init(endpoint: any QMPEndpoint, close: @escaping @Sendable () async -> Void) {
    self.endpoint = endpoint
    self.close = close
  }
}

/// The way to running machines.
public struct LiveConnector: Sendable {
  /// Connects to the monitor at an address; nil if the machine is not running.
  ///
  /// Only a missing socket and a refused connection mean that. Everything else is an error: the machine may
  /// run then, and its disks must not be touched as files.
  public let connect: @Sendable (String) async throws(QMPError) -> LiveConnection?

  /// Makes a connector.
  public init(
    connect: @escaping @Sendable (String) async throws(QMPError) -> LiveConnection?
  ) {
    self.connect = connect
  }
}
