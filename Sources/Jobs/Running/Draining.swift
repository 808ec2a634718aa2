extension JobRunner {
  /// Brings the jobs of this process to an end that is safe: those that are not past their commit are
  /// cancelled and undone, the others finish. Returns when none is left.
  ///
  /// - Parameter reason: the sentence that cancelled jobs end with.
  public func drain(because reason: String) async {
    for id in roster.liveIDs {
      // One that is past its commit refuses, and is waited for.
      _ = try? route(.cancel, to: id, because: reason)
      _ = try? await wait(for: id)
    }
  }

  /// Lets the jobs of this process come to their end. Those that wait for a `finalize`, which nobody is
  /// left to send, are cancelled. Returns when none is left.
  ///
  /// - Parameter reason: the sentence that cancelled jobs end with.
  public func finish(because reason: String) async {
    for id in roster.liveIDs { _ = try? await wait(for: id, orPending: true) }
    await drain(because: reason)
  }
}
