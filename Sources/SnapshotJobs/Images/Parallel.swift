private import Dispatch
private import Synchronization

/// Runs blocking work on several elements at once, each on a thread of its own.
///
/// All are waited for, also after one has failed: whoever undoes must know what there is to undo.
///
/// - Returns: the outcome of each element, in order.
func runInParallel<Element: Sendable, Outcome: Sendable>(
  _ elements: [Element], _ body: @escaping @Sendable (Element) throws -> Outcome
) -> [Result<Outcome, any Error>] {
  guard elements.count > 1 else { return elements.map { element in Result { try body(element) } } }
  let outcomes = Outcomes<Outcome>(count: elements.count)
  let group = DispatchGroup()
  for (index, element) in elements.enumerated() {
    // A queue of its own: those of a concurrent one share as many threads as there are cores, and wait for
    // each other's fsyncs.
    DispatchQueue(label: "snapjob.image").async(group: group) {
      let outcome = Result { try body(element) }
      outcomes.values.withLock { $0[index] = outcome }
    }
  }
  group.wait()
  return outcomes.values.withLock { $0.compactMap(\.self) }
}

/// Where the threads leave what came out.
private final class Outcomes<Outcome: Sendable>: Sendable {
  let values: Mutex<[Result<Outcome, any Error>?]>

  init(count: Int) { values = Mutex(Array(repeating: nil, count: count)) }
}
