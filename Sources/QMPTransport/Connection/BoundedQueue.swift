/// Passes elements from one task to another, and holds the sender back, or turns him away, while too many
/// wait.
actor BoundedQueue<Element: Sendable> {
  private var elements: [Element] = []
  private var isFinished = false
  private var sender: CheckedContinuation<Void, Never>?
  private var receiver: CheckedContinuation<Void, Never>?

  /// Appends an element, and waits while more than `limit` have not been taken.
  func send(_ element: Element, limit: Int) async {
    elements.append(element)
    wakeReceiver()
    while elements.count >= limit, !isFinished {
      await withCheckedContinuation { sender = $0 }
    }
  }

  /// Appends an element if fewer than `limit` wait; returns whether it did.
  func offer(_ element: Element, limit: Int) -> Bool {
    guard elements.count < limit else { return false }
    elements.append(element)
    wakeReceiver()
    return true
  }

  /// Ends the sending; what waits is still handed out.
  func finish() {
    isFinished = true
    wakeReceiver()
    wakeSender()
  }

  /// Throws away what waits, and ends the sending.
  func cancel() {
    elements = []
    finish()
  }

  /// Takes the oldest element; nil if there is none and none will come.
  func next() async -> Element? {
    while elements.isEmpty {
      if isFinished { return nil }
      await withCheckedContinuation { receiver = $0 }
    }
    let element = elements.removeFirst()
    wakeSender()
    return element
  }

  private func wakeSender() {
    sender?.resume()
    sender = nil
  }

  private func wakeReceiver() {
    receiver?.resume()
    receiver = nil
  }
}
