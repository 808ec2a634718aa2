import NIOCore
import QMP

/// One client, served from the greeting until it goes away.
///
/// ```
///  bytes ─▶ JSONReader ─▶ QMPSession ─▶ queue ─▶ endpoint ─▶ replies ─▶ client
///                              └─ out of band ─▶ endpoint ─┘      ▲
///                             events of the endpoint, of the server ┘
/// ```
///
/// A client that does not read its replies is not read from. One that leaves more events unread than
/// ``eventLimit`` is cut off.
struct QMPConnection {
  private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
  private let endpoint: any QMPEndpoint
  private let commands: [CommandSignature]
  private let stopping: Stopping

  private typealias Outbound = NIOAsyncChannelOutboundWriter<ByteBuffer>
  private typealias Queue = BoundedQueue<Step>

  /// What is done one after the other.
  private enum Step: Sendable {
    /// What the client's words ask for.
    case take(QMPSession.Action)
    /// Close the channel: everything has been said.
    case close
  }

  /// Events that may wait for a client.
  static let eventLimit = 1024

  init(
    _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, endpoint: any QMPEndpoint,
    commands: [CommandSignature], stopping: Stopping
  ) {
    self.channel = channel
    self.endpoint = endpoint
    self.commands = commands
    self.stopping = stopping
  }

  /// Serves the client; returns when either side has closed the channel.
  ///
  /// - Throws: what kept the channel from being read or written: the client has gone away.
  func serve() async throws {
    try await channel.executeThenClose { inbound, outbound in
      let version = try await endpoint.execute("query-version", nil)
      try await outbound.write(Self.line(QMPSession.greeting(version: version)))
      let queue = Queue()
      let (negotiation, hasBegun) = AsyncStream.makeStream(of: Never.self)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          defer { hasBegun.finish() }
          do {
            try await work(through: queue, outbound) { hasBegun.finish() }
          } catch {
            // Nobody takes anything any more; whoever reads must not wait for it.
            await queue.cancel()
            throw error
          }
        }
        do {
          try await read(inbound, into: queue, outbound, after: negotiation)
          // What was asked for is done although the client has no more to say.
          await queue.finish()
          try await group.waitForAll()
        } catch {
          await queue.cancel()
          group.cancelAll()
          throw error
        }
      }
      // Nothing that was written may be lost when the channel is closed.
      try await channel.channel.writeAndFlush(ByteBuffer()).get()
    }
  }

  /// Takes what the client sends.
  private func read(
    _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, into queue: Queue, _ outbound: Outbound,
    after negotiation: AsyncStream<Never>
  ) async throws {
    var reader = JSONReader()
    var session = QMPSession(commands: commands)
    for try await buffer in inbound {
      var inputs: [Result<QMPValue, QMPError>] = []
      reader.feed(buffer.readableBytesView) { inputs.append($0) }
      try await take(inputs, &session, into: queue, outbound, after: negotiation)
    }
    var inputs: [Result<QMPValue, QMPError>] = []
    reader.finish { inputs.append($0) }
    try await take(inputs, &session, into: queue, outbound, after: negotiation)
  }

  private func take(
    _ inputs: [Result<QMPValue, QMPError>], _ session: inout QMPSession, into queue: Queue,
    _ outbound: Outbound, after negotiation: AsyncStream<Never>
  ) async throws {
    for input in inputs {
      let action = session.receive(input)
      if case .execute(let request) = action, request.isOutOfBand {
        // It overtakes commands, not the reply that allows it to.
        for await _ in negotiation {}
        try await outbound.write(await reply(to: request))
      } else {
        await queue.send(.take(action), limit: session.queueLimit)
      }
    }
  }

  /// Executes one command after the other, and passes events on meanwhile.
  private func work(
    through queue: Queue, _ outbound: Outbound, onBegin: @Sendable () -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      while let step = await queue.next() {
        switch step {
        case .take(.reply(let value)): try await outbound.write(Self.line(value))
        case .take(.execute(let request)): try await outbound.write(await reply(to: request))
        case .take(.begin(let value)):
          let events = endpoint.events()
          let last = stopping.announcements()
          try await outbound.write(Self.line(value))
          onBegin()
          group.addTask {
            try await pass(events, then: last, to: outbound)
            // Behind the reply to what is being executed: that may be what ends the server.
            _ = await queue.offer(.close, limit: .max)
          }
        case .close:
          try await channel.channel.writeAndFlush(ByteBuffer()).get()
          return channel.channel.close(promise: nil)
        }
      }
    }
  }

  /// Passes events on, and behind them the last words of the server. Returns when they end, because the
  /// endpoint or the server has come to its end; the channel is closed at once when too many wait.
  private func pass(
    _ events: AsyncStream<QMPEvent>, then last: AsyncStream<QMPEvent>, to outbound: Outbound
  ) async throws {
    let waiting = BoundedQueue<QMPEvent>()
    let (rest, restHasPassed) = AsyncStream.makeStream(of: Never.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await event in events {
          if await waiting.offer(event, limit: Self.eventLimit) { continue }
          return channel.channel.close(promise: nil)
        }
        if !stopping.isStopping { await waiting.finish() }
        restHasPassed.finish()
      }
      group.addTask {
        for await event in last {
          await Self.wait(for: rest)
          _ = await waiting.offer(event, limit: Self.eventLimit + 1)
        }
        await waiting.finish()
      }
      while let event = await waiting.next() {
        try await outbound.write(Self.line(event.message))
      }
      try Task.checkCancellation()
    }
  }

  /// How long the server's last words wait for the events of an endpoint that does not end them.
  private static let restPatience = Duration.milliseconds(300)

  private static func wait(for rest: AsyncStream<Never>) async {
    await withTaskGroup { group in
      group.addTask { for await _ in rest {} }
      group.addTask { try? await Task.sleep(for: restPatience) }
      await group.next()
      group.cancelAll()
    }
  }

  private func reply(to request: QMPRequest) async -> ByteBuffer {
    if stopping.isStopping {
      let error = QMPError(.genericError, "snapjob is shutting down; nothing was done")
      return Self.line(request.reply(.failure(error)))
    }
    do throws(QMPError) {
      let value = try await endpoint.execute(request.command, request.arguments)
      return Self.line(request.reply(.success(value)))
    } catch {
      return Self.line(request.reply(.failure(error)))
    }
  }

  /// A message as it goes over the wire.
  private static func line(_ value: QMPValue) -> ByteBuffer {
    var buffer = ByteBuffer(bytes: value.jsonBytes)
    buffer.writeStaticString("\r\n")
    return buffer
  }
}
