import Jobs
import QMP

/// Follows one job to its end, printing what happens.
///
/// Events tell what happens at once; beside them the job is looked at a few times a second, for its
/// progress and because an event may be missed (a slow reader is cut off, another machine's jobs
/// send none).
struct JobFollower {
  /// How far to follow.
  enum Goal: Sendable, Hashable {
    /// Until it is over.
    case conclusion
    /// Until it waits for `job-finalize`, or is over.
    case pending
  }

  /// How following ended.
  struct Outcome: Sendable {
    /// The job as it is now.
    let job: JobView
    /// The signal that asked for its cancellation; nil for none.
    let signal: Int32?
    /// Whether the time limit passed first.
    let timedOut: Bool
  }

  private enum Input: Sendable {
    case event(QMPEvent)
    case look
    case signal(Int32)
    case timeout
  }

  let endpoint: any QMPEndpoint
  let id: String
  let session: Session
  /// Whether a signal cancels the job; else it ends the program.
  var cancelsOnSignal = true

  private var output: Output { session.output }

  init(_ id: String, on endpoint: any QMPEndpoint, session: Session, cancelsOnSignal: Bool = true) {
    self.id = id
    self.endpoint = endpoint
    self.session = session
    self.cancelsOnSignal = cancelsOnSignal
  }

  /// Starts a job and follows it.
  ///
  /// - Parameters:
  ///   - goal: how far.
  ///   - limit: how long to wait for the goal; nil for ever.
  ///   - start: starts the job; called after the events are subscribed to.
  /// - Returns: how it ended.
  /// - Throws: what `start` throws, or the endpoint's error when the job cannot be looked at.
  func follow(
    until goal: Goal, limit: Duration? = nil,
    start: @escaping @Sendable () async throws -> Void = {}
  ) async throws -> Outcome {
    let (inputs, feed) = AsyncStream.makeStream(of: Input.self)
    let events = endpoint.events()
    defer { if cancelsOnSignal { session.surroundings.signals.release() } }
    try await begin(feed, start)
    let interval = session.host.pollInterval
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await event in events { feed.yield(.event(event)) } }
      group.addTask {
        while !Task.isCancelled {
          feed.yield(.look)
          try await Task.sleep(for: interval)
        }
      }
      if let limit {
        group.addTask {
          try await Task.sleep(for: limit)
          feed.yield(.timeout)
        }
      }
      defer { group.cancelAll() }
      return try await serve(inputs, until: goal)
    }
  }

  /// Starts the job. A signal gives up a start that waits for a busy machine; if the job began all
  /// the same, it is cancelled like any other.
  private func begin(
    _ feed: AsyncStream<Input>.Continuation, _ start: @escaping @Sendable () async throws -> Void
  ) async throws {
    guard cancelsOnSignal else { return try await start() }
    let starting = Starting()
    let (id, output) = (id, output)
    let signals = session.surroundings.signals
    signals.take { signal, count in
      switch InterruptionPolicy.action(count: count) {
      case .cancel:
        starting.giveUp(because: signal)
        feed.yield(.signal(signal))
      case .leaveToRecovery:
        output.failure(
          CommandFailure(
            .failed,
            "stopped by a second signal; job \(id) is left to recovery (\(NextStep("recover")))"))
        signals.endProcess(.failed)
      }
    }
    do {
      try await starting.run(start)
    } catch {
      guard let signal = starting.signal else { throw error }
      throw CommandFailure(
        .interrupted(by: signal), "interrupted before job \(id) began; nothing was changed")
    }
  }

  private func serve(_ inputs: AsyncStream<Input>, until goal: Goal) async throws -> Outcome {
    var progress = ProgressDisplay(title: id, output: output)
    defer { progress.clear() }
    let clock = ContinuousClock()
    let started = clock.now
    var signal: Int32?
    var last: JobView?
    var overdue = 0
    for await input in inputs {
      switch input {
      case .event(let event):
        guard event.name == "JOB_STATUS_CHANGE", event.data?.text("id") == id else { continue }
        progress.clear()
        report(event)
        if reaches(goal, event.data?.text("status") ?? "") {
          return Outcome(job: try await endpoint.job(id), signal: signal, timedOut: false)
        }
      case .look:
        // A job that cannot be looked at for once may be seen the next time; its end is an event.
        guard let job = try await endpoint.findJob(id) else { continue }
        showProgress(of: job, after: last, on: &progress, elapsed: clock.now - started)
        last = job
        // The events of a job that is over have a moment to arrive before it is left.
        overdue = reaches(goal, job.status) || job.isInDoubt ? overdue + 1 : 0
        if overdue > 2 { return Outcome(job: job, signal: signal, timedOut: false) }
      case .signal(let number):
        signal = number
        progress.clear()
        await cancel(becauseOf: number)
      case .timeout:
        return Outcome(job: try await endpoint.job(id), signal: signal, timedOut: true)
      }
    }
    return Outcome(job: try await endpoint.job(id), signal: signal, timedOut: false)
  }

  private func reaches(_ goal: Goal, _ status: String) -> Bool {
    JobView.isFinal(status) || (goal == .pending && status == "pending")
  }

  private func report(_ event: QMPEvent) {
    output.json(JobLines.event(event))
    if output.isVerbose { output.note("\(id): \(event.data?.text("status") ?? "")") }
  }

  private func showProgress(
    of job: JobView, after last: JobView?, on display: inout ProgressDisplay, elapsed: Duration
  ) {
    guard !job.isConcluded else { return }
    display.update(current: job.current, total: job.total, elapsed: elapsed)
    let hasMoved = job.current != (last?.current ?? 0) || job.total != (last?.total ?? 0)
    if hasMoved, output.progress != .none {
      output.json(JobLines.progress(job, microseconds: session.host.now()))
    }
  }

  private func cancel(becauseOf signal: Int32) async {
    output.note("interrupted; cancelling job \(id) and undoing its work")
    do {
      _ = try await endpoint.execute("job-cancel", ["id": .string(id)])
    } catch {
      // After the commit point a cancellation is refused: the job finishes.
      output.note("\(error.desc); waiting for its end")
    }
  }
}
