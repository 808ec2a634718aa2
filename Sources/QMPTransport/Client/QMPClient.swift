import FileNames
import Glibc
import NIOCore
import NIOPosix
public import QMP

/// A QMP server behind a socket as an endpoint: snapjob's own, QEMU, or any other.
///
/// Commands may be executed at the same time; each gets its own reply. When the server goes away,
/// everything that waits ends with an error of kind `connection`, and the streams of events end.
public final class QMPClient: QMPEndpoint {
  /// How long a server has for its greeting. A monitor of QEMU that has a client already accepts
  /// another connection and says nothing.
  public static let greetingLimit = Duration.seconds(5)

  /// Where the server is.
  public let address: QMPAddress
  /// What the server says of its version, in the form of `query-version`.
  public let version: QMPValue
  /// Whether the server is snapjob: it names the kinds of its failures.
  public let namesFailureKinds: Bool

  private let channel: any Channel
  private let correspondence: Correspondence

  private init(
    _ address: QMPAddress, _ channel: any Channel, _ correspondence: Correspondence,
    _ greeting: Correspondence.Greeting
  ) {
    self.address = address
    self.channel = channel
    self.correspondence = correspondence
    version = greeting.version
    namesFailureKinds = greeting.capabilities.contains(QMPCapability.failureKind.rawValue)
  }

  /// Connects, and negotiates.
  ///
  /// - Parameters:
  ///   - address: where the server is.
  ///   - limit: how long it has for its greeting.
  /// - Returns: the client; ``close()`` it.
  /// - Throws: `QMPError` of kind `connection` (nobody listens, no greeting, no QMP), or `permission`.
  public static func connect(
    to address: QMPAddress, greetingWithin limit: Duration = QMPClient.greetingLimit
  ) async throws(QMPError) -> QMPClient {
    guard let client = try await connectIfListening(to: address, greetingWithin: limit) else {
      throw .connection(address, "nobody listens there. Is the server running?")
    }
    return client
  }

  /// Connects, and negotiates, if there is a server.
  ///
  /// - Parameters:
  ///   - address: where it may be.
  ///   - limit: how long it has for its greeting.
  /// - Returns: the client; nil if there is no socket, or nobody listens there any more.
  /// - Throws: as ``connect(to:greetingWithin:)``; whether somebody is there is not known then.
  public static func connectIfListening(
    to address: QMPAddress, greetingWithin limit: Duration = QMPClient.greetingLimit
  ) async throws(QMPError) -> QMPClient? {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let promise = loop.makePromise(of: Correspondence.Greeting.self)
    let correspondence = Correspondence(with: address, greeting: promise)
    let channel: any Channel
    let start = ContinuousClock.now
    do {
      channel = try await open(address, on: loop, correspondence, until: start + limit)
    } catch {
      let failure = QMPError(connecting: error, to: address, within: limit)
      promise.fail(failure)
      if QMPError.meansNobodyListens(error) { return nil }
      throw failure
    }
    let rest = max(limit - (ContinuousClock.now - start), .zero)
    let deadline = loop.scheduleTask(in: TimeAmount(rest)) {
      correspondence.giveUpGreeting(.silence(of: address, after: limit))
    }
    do {
      let greeting = try await withTaskCancellationHandler {
        try await promise.futureResult.get()
      } onCancel: {
        correspondence.giveUpGreeting(.connection(address, "the greeting was not waited for"))
      }
      deadline.cancel()
      let client = QMPClient(address, channel, correspondence, greeting)
      let enabled: QMPValue? =
        client.namesFailureKinds
        ? ["enable": [.string(QMPCapability.failureKind.rawValue)]] : nil
      _ = try await client.execute("qmp_capabilities", enabled)
      return client
    } catch {
      deadline.cancel()
      try? await channel.close()
      throw error as? QMPError ?? .connection(address, "\(error)")
    }
  }

  /// Executes one command and waits for its reply, for as long as it takes.
  public func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    try await execute(command, arguments, within: nil)
  }

  /// Executes one command and waits for its reply.
  ///
  /// - Parameters:
  ///   - command: the name, as in `execute`.
  ///   - arguments: an object, or nil for none.
  ///   - limit: how long to wait; nil for ever.
  /// - Returns: the value of `return`.
  /// - Throws: the value of `error`; of kind `timeout` when the limit has passed, `connection` when the
  ///   server has gone away. Whether the command was executed is not known then.
  public func execute(
    _ command: String, _ arguments: QMPValue?, within limit: Duration?
  ) async throws(QMPError) -> QMPValue {
    let promise = channel.eventLoop.makePromise(of: QMPValue.self)
    let number: Int64
    do throws(QMPError) {
      number = try correspondence.expectReply(promise)
    } catch {
      promise.fail(error)
      throw error
    }
    send(QMPRequest(command, arguments, id: .int(number)), number)
    let deadline = limit.map { limit in
      channel.eventLoop.scheduleTask(in: TimeAmount(limit)) { [correspondence, address] in
        correspondence.giveUp(
          number,
          QMPError(
            .genericError,
            "\(address): no reply to \(command) within \(limit.components.seconds) s",
            kind: "timeout"))
      }
    }
    defer { deadline?.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await promise.futureResult.get()
      } onCancel: {
        correspondence.giveUp(
          number,
          QMPError(
            .genericError, "\(address): the reply to \(command) was not waited for",
            kind: "cancelled"))
      }
    } catch {
      throw error as? QMPError ?? .connection(address, "\(error)")
    }
  }

  /// The events from now on. The stream ends with the connection, and for a reader who leaves 1024 of
  /// them unread.
  public func events() -> AsyncStream<QMPEvent> { correspondence.events() }

  /// Closes the connection; what still waits for a reply ends with an error.
  public func close() async {
    correspondence.finish(.connection(address, "the connection was closed"))
    try? await channel.close()
  }

  private func send(_ request: QMPRequest, _ number: Int64) {
    var buffer = ByteBuffer(bytes: request.message.jsonBytes)
    buffer.writeStaticString("\r\n")
    let (correspondence, address) = (correspondence, address)
    channel.writeAndFlush(buffer).whenFailure { error in
      correspondence.giveUp(
        number, .connection(address, "\(request.command) could not be sent: \(error)"))
    }
  }

  private static let queuePeriod = Duration.milliseconds(50)

  /// Connects; while as many clients as the server lets wait are waiting there, it is tried again.
  private static func open(
    _ address: QMPAddress, on loop: any EventLoop, _ correspondence: Correspondence,
    until end: ContinuousClock.Instant
  ) async throws -> any Channel {
    while true {
      do {
        return try await open(address, on: loop, correspondence)
      } catch {
        guard QMPError.meansCrowd(error), ContinuousClock.now < end else { throw error }
      }
      try await Task.sleep(for: queuePeriod)
    }
  }

  private static func open(
    _ address: QMPAddress, on loop: any EventLoop, _ correspondence: Correspondence
  ) async throws -> any Channel {
    let bootstrap = ClientBootstrap(group: loop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          MessageHandler(correspondence, address: address))
      }
    }
    return switch address {
    case .unix(let path):
      try await bootstrap.connect(to: SocketAddress(UNIXAddress(path).system)).get()
    case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
    }
  }
}

/// Makes messages out of the bytes of a server.
private final class MessageHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private var reader = JSONReader()
  private let correspondence: Correspondence
  private let address: QMPAddress

  init(_ correspondence: Correspondence, address: QMPAddress) {
    self.correspondence = correspondence
    self.address = address
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var failure: QMPError?
    reader.feed(unwrapInboundIn(data).readableBytesView) { input in
      guard failure == nil else { return }
      do throws(QMPError) {
        try correspondence.receive(input)
      } catch {
        failure = error
      }
    }
    guard let failure else { return }
    correspondence.finish(failure)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    correspondence.finish(.connection(address, "the server went away"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let isGone = (error as? IOError)?.errnoCode == ECONNRESET
    correspondence.finish(
      .connection(address, isGone ? "the server went away" : "the connection broke: \(error)"))
    context.close(promise: nil)
  }
}
