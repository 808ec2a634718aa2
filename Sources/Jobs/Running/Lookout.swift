/// Notices that other processes have written to a store.
final class Lookout: Sendable {
  private struct State {
    var counter: Int64?
    var count = 0
  }

  /// Every so many looks, everything is looked at: a process that ends does not write.
  private static let thoroughPeriod = 10

  private let state = Guarded(State())

  /// Looks once.
  ///
  /// - Returns: whether there may be something new.
  func look(at store: any JobStore) -> Bool {
    let counter = try? store.changeCounter()
    return state.withLock { state in
      defer { state.counter = counter }
      state.count += 1
      return counter == nil || counter != state.counter
        || state.count.isMultiple(of: Self.thoroughPeriod)
    }
  }

  /// Whether the latest look was one at everything.
  var isThoroughLook: Bool {
    state.withLock { state in state.count.isMultiple(of: Self.thoroughPeriod) }
  }
}
