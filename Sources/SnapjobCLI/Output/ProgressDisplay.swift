/// Progress on stderr: a bar that is drawn over itself, or lines; nothing in the first second.
struct ProgressDisplay {
  private enum Style { case bar, lines, nothing }

  /// Before this nothing is shown: most jobs are over by then.
  static let patience = Duration.seconds(1)

  private let style: Style
  private let output: Output
  private let title: String
  private var shown = ""
  private var lastLine: Duration?

  init(title: String, output: Output) {
    self.title = title
    self.output = output
    style =
      if output.isQuiet {
        .nothing
      } else {
        switch output.progress {
        case .none: .nothing
        case .plain: .lines
        case .auto: output.console.errorIsTerminal ? .bar : .nothing
        }
      }
  }

  /// Shows where a job is.
  ///
  /// - Parameters:
  ///   - current: bytes done.
  ///   - total: bytes done and to do.
  ///   - elapsed: time since the job was started.
  mutating func update(current: Int64, total: Int64, elapsed: Duration) {
    guard style != .nothing, elapsed >= Self.patience, total > 0 else { return }
    let done = min(max(current, 0), total)
    let percent = Int(Double(done) / Double(total) * 100)
    let amount = "\(Quantity.bytes(done)) of \(Quantity.bytes(total))"
    switch style {
    case .nothing: return
    case .lines:
      guard lastLine.map({ elapsed - $0 >= .seconds(1) }) ?? true else { return }
      let line = "\(title): \(percent) % (\(amount))\n"
      guard line != shown else { return }
      lastLine = elapsed
      shown = line
      output.console.err.write(line)
    case .bar:
      let line = Self.bar(
        title: title, percent: percent, amount: amount, width: output.console.width())
      guard line != shown else { return }
      shown = line
      output.console.err.write("\r\(line)\u{1B}[K")
    }
  }

  /// Takes the bar away, so that the next text starts on a clean line.
  mutating func clear() {
    guard style == .bar, !shown.isEmpty else { return }
    shown = ""
    output.console.err.write("\r\u{1B}[K")
  }

  /// A bar that fills a line, or less where there is no room.
  static func bar(title: String, percent: Int, amount: String, width: Int) -> String {
    let numbers = "\(percent) %  \(amount)"
    let room = min(40, width - 1 - title.count - numbers.count - 6)
    guard room >= 5 else { return String(numbers.prefix(max(0, width - 1))) }
    let filled = room * percent / 100
    let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: room - filled)
    return "\(title)  [\(bar)]  \(numbers)"
  }
}
