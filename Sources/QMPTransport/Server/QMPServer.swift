import Glibc
public import Logging
import NIOCore
import NIOPosix
public import QMP
import Synchronization

/// Serves the QMP protocol for one endpoint to many clients, each with a negotiation of its own.
public final class QMPServer: Sendable {
  /// Where clients come from.
  public enum Source: Sendable, Hashable {
    /// A UNIX socket, which is made there (mode 0600) and removed at the end.
    case path(String)
    /// A socket that listens already; somebody else has made it and removes it.
    case listener(CInt)
    /// One client, whose two directions are these descriptors, of whatever kind.
    case pipe(input: CInt, output: CInt)
  }

  /// Clients at one time; a further one is turned away.
  public static let clientLimit = 512

  private typealias Client = NIOAsyncChannel<ByteBuffer, ByteBuffer>

  private struct State {
    var listener: (any Channel)?
    /// Those that were accepted and are not served yet.
    var waiting: [ObjectIdentifier: Client] = [:]
    var clients: [ObjectIdentifier: any Channel] = [:]
    var isClosed = false
  }

  private let endpoint: any QMPEndpoint
  private let guestEndpoint: any QMPEndpoint
  private let commands: [CommandSignature]
  private let peers: PeerCheck
  private let logger: Logger
  private let stopping = Stopping()
  private let state = Mutex(State())

  /// Makes a server.
  ///
  /// - Parameters:
  ///   - endpoint: executes the commands.
  ///   - guestEndpoint: the same for users that are neither the server's own nor root; nil for no difference.
  ///   - commands: what it has.
  ///   - peers: who may connect to a socket.
  ///   - logger: where clients that are turned away are noted.
  public init(
    endpoint: any QMPEndpoint, guestEndpoint: (any QMPEndpoint)? = nil,
    commands: [CommandSignature], peers: PeerCheck = PeerCheck(),
    logger: Logger = Logger(label: "snapjob.qmp")
  ) {
    self.endpoint = endpoint
    self.guestEndpoint = guestEndpoint ?? endpoint
    self.commands = commands
    self.peers = peers
    self.logger = logger
  }

  /// Serves clients until the server is stopped; of a pipe, until its client has gone.
  ///
  /// - Parameters:
  ///   - source: where clients come from.
  ///   - onReady: called once clients can connect.
  /// - Throws: `QMPError` if the socket cannot be made (see its kind), or is lost.
  public func run(
    _ source: Source, onReady: @escaping @Sendable () -> Void = {}
  ) async throws(QMPError) {
    switch source {
    case .path(let path):
      let socket = try ListeningSocket(path: path)
      defer { socket.remove() }
      try await listen(on: socket.descriptor, name: path, onReady)
    case .listener(let descriptor):
      try await listen(on: descriptor, name: "the socket that was handed over", onReady)
    case .pipe(let input, let output):
      try await serve(input: input, output: output, onReady)
    }
  }

  /// Has nothing executed any more; clients stay connected and are told of what still happens.
  public func refuseCommands() { stopping.begin() }

  /// Tells the clients that this is the end, and closes everything.
  ///
  /// - Parameter reason: as in QEMU's `SHUTDOWN` event: `host-signal`, `host-qmp-quit`.
  public func stop(reason: String) async {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    stopping.announce(
      QMPEvent(
        name: "SHUTDOWN", data: ["guest": false, "reason": .string(reason)],
        microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000))
    // Those who read are gone by then; nobody is waited for longer.
    await close(within: Self.readingTime)
  }

  /// Lets nobody in any more, and closes everything once the clients have gone by themselves, or some time
  /// has passed. They are not told of it.
  ///
  /// - Parameter grace: how long clients may go on.
  public func close(within grace: Duration) async {
    let listener = state.withLock { state in
      state.isClosed = true
      return state.listener
    }
    try? await listener?.close()
    let clock = ContinuousClock()
    let end = clock.now + grace
    while hasClients, clock.now < end { try? await clock.sleep(for: Self.graceStep) }
    for client in state.withLock({ $0.clients.values + $0.waiting.values.map(\.channel) }) {
      try? await client.close()
    }
  }

  /// How long clients have to read the server's last words.
  private static let readingTime = Duration.seconds(1)
  private static let graceStep = Duration.milliseconds(20)

  private var hasClients: Bool {
    state.withLock { state in !state.clients.isEmpty || !state.waiting.isEmpty }
  }
}

extension QMPServer {
  private func listen(
    on descriptor: CInt, name: String, _ onReady: @Sendable () -> Void
  ) async throws(QMPError) {
    do {
      let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .bind(descriptor) { channel in
          channel.eventLoop.makeCompletedFuture { try self.take(channel) }
        }
      let isClosed = state.withLock { state in
        state.listener = server.channel
        return state.isClosed
      }
      if isClosed { try? await server.channel.close() }
      onReady()
      try await withThrowingDiscardingTaskGroup { group in
        try await server.executeThenClose { clients in
          for try await client in clients { group.addTask { await self.admit(client) } }
        }
      }
      await letGoOfWaiting()
    } catch {
      await letGoOfWaiting()
      throw QMPError(.genericError, "\(name): it cannot be listened on any more: \(error)")
    }
  }

  private func serve(
    input: CInt, output: CInt, _ onReady: @Sendable () -> Void
  ) async throws(QMPError) {
    let bridge = try PipeBridge(input: input, output: output)
    do {
      let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .withConnectedSocket(bridge.descriptor) { channel in
          channel.eventLoop.makeCompletedFuture { try self.take(channel) }
        }
      onReady()
      await converse(client, with: endpoint)
      await bridge.finish(within: Self.readingTime) { self.state.withLock(\.isClosed) }
    } catch {
      await letGoOfWaiting()
      throw QMPError(.genericError, "standard input and output cannot be used: \(error)")
    }
  }

  /// Notes a client until it is served.
  ///
  /// - Throws: if the server takes no more of them; the channel is closed then.
  private func take(_ channel: any Channel) throws -> Client {
    try state.withLock { state in
      guard !state.isClosed, state.clients.count + state.waiting.count < Self.clientLimit else {
        channel.close(promise: nil)
        throw ChannelError.operationUnsupported
      }
      let client = try Client(wrappingChannelSynchronously: channel)
      state.waiting[ObjectIdentifier(channel)] = client
      return client
    }
  }

  /// Serves a client that came to a socket, if it may.
  private func admit(_ client: Client) async {
    var endpoint: (any QMPEndpoint)?
    // One without credentials has gone away already.
    if let peer = try? await client.channel.peerCredentials() {
      if peers.admits(peer.uid) {
        endpoint = peers.isGuest(peer.uid) ? guestEndpoint : self.endpoint
      } else {
        logger.warning(
          "a client was turned away", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
      }
    }
    await converse(client, with: endpoint)
  }

  /// Serves a client to its end; without an endpoint, that is at once.
  private func converse(_ client: Client, with endpoint: (any QMPEndpoint)?) async {
    let key = ObjectIdentifier(client.channel)
    let isClosed = state.withLock { state in
      state.waiting.removeValue(forKey: key)
      state.clients[key] = client.channel
      return state.isClosed
    }
    if let endpoint, !isClosed {
      let connection = QMPConnection(
        client, endpoint: endpoint, commands: commands, stopping: stopping)
      // A client that goes away in the middle is no failure of the server.
      try? await connection.serve()
    } else {
      await Self.letGo(of: client)
    }
    _ = state.withLock { state in state.clients.removeValue(forKey: key) }
  }

  /// Closes what has come while nobody listened any more.
  private func letGoOfWaiting() async {
    let waiting = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [:] }
      return state.waiting.values.map { $0 }
    }
    for client in waiting { await Self.letGo(of: client) }
  }

  /// Closes a client that is not served. It is used all the same: NIO traps if such a channel was not, when it goes.
  private static func letGo(of client: Client) async {
    try? await client.executeThenClose { _, _ in }
  }
}

extension Channel {
  /// Who is on the other side of a UNIX socket.
  fileprivate func peerCredentials() async throws -> PeerCredentials {
    guard let provider = self as? any SocketOptionProvider else {
      throw ChannelError.operationUnsupported
    }
    return try await provider.unsafeGetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
    ).get()
  }
}
