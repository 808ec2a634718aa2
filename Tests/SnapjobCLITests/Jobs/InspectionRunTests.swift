import ArgumentParser
import QMP
import Testing

@testable import SnapjobCLI

/// An endpoint whose command lasts until a test has seen enough.
private struct SlowEndpoint: QMPEndpoint {
  private let stream: AsyncStream<QMPEvent>
  private let feed: AsyncStream<QMPEvent>.Continuation
  /// Goes on while this is false, at most for ten seconds.
  let isSeen: @Sendable () -> Bool

  init(isSeen: @escaping @Sendable () -> Bool) {
    (stream, feed) = AsyncStream.makeStream(of: QMPEvent.self)
    self.isSeen = isSeen
  }

  func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    for _ in 0..<100 {
      if isSeen() { break }
      for name in ["x-snapjob-check", "x-snapjob-verify"] {
        let current: QMPValue = name == command ? 1024 : 2000
        feed.yield(
          QMPEvent(
            name: "X_SNAPJOB_PROGRESS",
            data: [
              "command": .string(name), "target": "disk0", "current": current, "total": 2048,
            ], microseconds: 0))
      }
      try? await Task.sleep(for: .milliseconds(100))
    }
    return arguments ?? [:]
  }

  func events() -> AsyncStream<QMPEvent> { stream }
}

/// An endpoint that does not know of progress, and replies with its arguments.
private struct EarlierEndpoint: QMPEndpoint {
  func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    let signature = CommandSignature(command, [.optional("tag", .string)])
    return .object(try signature.check(arguments).members)
  }

  func events() -> AsyncStream<QMPEvent> { AsyncStream { $0.finish() } }
}

@Suite struct InspectionRunTests {
  /// A session with some global options.
  private func session(_ run: Run, _ options: [String]) throws -> Session {
    let globals = try GlobalOptions.parse(options)
    let err = run.err
    let console = Console(
      out: run.out, err: err, isInteractive: false, errorIsTerminal: false, width: { 80 },
      ask: { _ in nil })
    let settings = try Settings(
      globals, environment: run.environment, userID: 1000, host: Run.host)
    return Session(
      settings: settings, output: Output(console: console, globals: globals),
      surroundings: Surroundings(
        console: console, environment: run.environment, userID: 1000, host: Run.host,
        door: run.door, signals: run.signals, spawner: run.spawner),
      arguments: [])
  }

  @Test("what takes longer than a second shows how far it is, by its own events only")
  func progress() async throws {
    let run = Run()
    let endpoint = SlowEndpoint { run.err.text.contains("%") }
    let reply = try await InspectionRun(
      title: "verify", session: session(run, ["--progress", "plain"])
    ).execute("x-snapjob-verify", ["tag": "x"], on: endpoint)
    #expect(reply == ["tag": "x", "progress": true])
    #expect(run.err.text == "verify: 50 % (1 KiB of 2 KiB)\n")
  }

  @Test("a server that tells of no progress is asked without") func earlierServer() async throws {
    let reply = try await InspectionRun(title: "verify", session: session(Run(), []))
      .execute("x-snapjob-verify", ["tag": "x"], on: EarlierEndpoint())
    #expect(reply == ["tag": "x"])
  }

  @Test("SIGUSR1 asks where a command is, as long as it lasts") func status() async throws {
    let run = Run()
    let endpoint = SlowEndpoint {
      run.signals.askForStatus()
      return run.err.text.contains("1 KiB of 2 KiB")
    }
    _ = try await InspectionRun(title: "check", session: session(run, ["--progress", "none"]))
      .execute("x-snapjob-check", [:], on: endpoint)
    let lines = run.err.lines
    #expect(lines.last == "check: disk0: 1 KiB of 2 KiB")
    #expect(lines.dropLast().allSatisfy { $0 == "check: it has begun" })
    run.signals.askForStatus()
    #expect(run.err.lines == lines)
  }
}
