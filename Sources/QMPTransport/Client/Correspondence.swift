import NIOCore
import QMP
import Synchronization

/// What has been asked of a server and not been answered, and who listens to its events.
final class Correspondence: Sendable {
  /// Events that one reader may leave unread; then he is cut off.
  static let eventLimit = 1024

  private struct State {
    var lastNumber: Int64 = 0
    var greeting: EventLoopPromise<Greeting>?
    var waiting: [Int64: EventLoopPromise<QMPValue>] = [:]
    var nextReader = 0
    var readers: [Int: AsyncStream<QMPEvent>.Continuation] = [:]
    /// Why nothing comes any more.
    var end: QMPError?
  }

  /// What a server says first.
  struct Greeting: Sendable {
    let version: QMPValue
    let capabilities: [String]
  }

  private let state: Mutex<State>
  private let address: QMPAddress

  init(with address: QMPAddress, greeting: EventLoopPromise<Greeting>) {
    self.address = address
    state = Mutex(State(greeting: greeting))
  }

  /// Notes a command that is about to be sent.
  ///
  /// - Returns: its id.
  /// - Throws: why there will be no reply.
  func expectReply(_ promise: EventLoopPromise<QMPValue>) throws(QMPError) -> Int64 {
    let noted = state.withLock { state -> Result<Int64, QMPError> in
      if let end = state.end { return .failure(end) }
      state.lastNumber += 1
      state.waiting[state.lastNumber] = promise
      return .success(state.lastNumber)
    }
    return try noted.get()
  }

  /// Gives up waiting for a reply.
  func giveUp(_ number: Int64, _ error: QMPError) {
    state.withLock { state in state.waiting.removeValue(forKey: number) }?.fail(error)
  }

  /// Gives up waiting for the greeting.
  func giveUpGreeting(_ error: QMPError) {
    takeGreeting()?.fail(error)
  }

  /// Takes what the server sent.
  ///
  /// - Throws: `QMPError` if it is nothing that a QMP server sends: it cannot be talked to.
  func receive(_ input: Result<QMPValue, QMPError>) throws(QMPError) {
    let message: QMPServerMessage
    do throws(QMPError) {
      message = try QMPServerMessage(try input.get())
    } catch {
      throw .connection(address, "what answers is no QMP server: \(error.desc)")
    }
    switch message {
    case .greeting(let version, let capabilities):
      takeGreeting()?.succeed(Greeting(version: version, capabilities: capabilities))
    case .reply(let id, let result):
      switch result {
      case .success(let value): takeWaiting(id)?.succeed(value)
      case .failure(let error): takeWaiting(id)?.fail(error)
      }
    case .event(let event):
      announce(event)
    }
  }

  private func announce(_ event: QMPEvent) {
    for (number, reader) in state.withLock({ state in state.readers }) {
      if case .enqueued = reader.yield(event) { continue }
      reader.finish()
      _ = state.withLock { state in state.readers.removeValue(forKey: number) }
    }
  }

  /// The events from now on.
  func events() -> AsyncStream<QMPEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: QMPEvent.self, bufferingPolicy: .bufferingOldest(Self.eventLimit))
    let number = state.withLock { state -> Int? in
      guard state.end == nil else { return nil }
      state.nextReader += 1
      state.readers[state.nextReader] = continuation
      return state.nextReader
    }
    guard let number else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.state.withLock { state in state.readers.removeValue(forKey: number) }
    }
    return stream
  }

  /// Ends everything that waits; the first reason counts.
  func finish(_ error: QMPError) {
    let (greeting, waiting, readers) = state.withLock { state in
      if state.end == nil { state.end = error }
      defer { (state.greeting, state.waiting, state.readers) = (nil, [:], [:]) }
      return (state.greeting, state.waiting.values.map { $0 }, state.readers.values.map { $0 })
    }
    greeting?.fail(error)
    for promise in waiting { promise.fail(error) }
    for reader in readers { reader.finish() }
  }

  private func takeGreeting() -> EventLoopPromise<Greeting>? {
    state.withLock { state in
      defer { state.greeting = nil }
      return state.greeting
    }
  }

  /// The command that a reply is for. One without an id is for the oldest: the server could not read it.
  private func takeWaiting(_ id: QMPValue?) -> EventLoopPromise<QMPValue>? {
    state.withLock { state in
      switch id {
      case .int(let number): state.waiting.removeValue(forKey: number)
      case nil: state.waiting.keys.min().flatMap { state.waiting.removeValue(forKey: $0) }
      default: nil
      }
    }
  }
}

extension QMPError {
  /// The other side cannot be talked to.
  static func connection(_ address: QMPAddress, _ text: String) -> QMPError {
    QMPError(.genericError, "\(address): \(text)", kind: "connection")
  }
}
