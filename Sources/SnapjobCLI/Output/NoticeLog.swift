import Logging

/// Passes the engine's remarks on as notes; what is less than a warning is left out.
struct NoticeLog: LogHandler {
  /// Given each remark as a sentence.
  let report: @Sendable (String) -> Void
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .warning

  init(report: @escaping @Sendable (String) -> Void) { self.report = report }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let details = metadata.merging(event.metadata ?? [:]) { _, new in new }
      .sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    let end = details.isEmpty ? "" : " (\(details.joined(separator: ", ")))"
    report("\(event.message)\(end)")
  }
}
