private import Dispatch
private import Synchronization

/// Runs blocking work on several elements at once, each on a thread of its own.
///
/// All are waited for, also after one has failed: whoever undoes must know what there is to undo.
///
/// - Returns: the outcome of each element, in order.
func runInParallel<Element: Sendable, Outcome: Sendable>(
  _ elements: [Element], _ body: @Sendable (Element) throws -> Outcome
) -> [Result<Outcome, any Error>] {
  let outcomes = Mutex([Result<Outcome, any Error>?](repeating: nil, count: elements.count))
  DispatchQueue.concurrentPerform(iterations: elements.count) { index in
    let outcome = Result { try body(elements[index]) }
    outcomes.withLock { $0[index] = outcome }
  }
  return outcomes.withLock { $0.compactMap(\.self) }
}
