extension QMPValue: CustomStringConvertible {
  /// The value as one line of JSON, in QEMU's style: separators `, ` and `: `, ASCII only.
  ///
  /// A number that JSON cannot write (infinite or no number) becomes `null`.
  public var jsonText: String { String(decoding: jsonBytes, as: UTF8.self) }

  /// The bytes of ``jsonText``.
  public var jsonBytes: [UInt8] {
    var printer = JSONPrinter()
    printer.write(self)
    return printer.text
  }

  /// The value as one line of JSON.
  public var description: String { jsonText }

  /// Reads one JSON text.
  ///
  /// QEMU's extensions are accepted: strings in single quotes and the escape `\'`.
  ///
  /// - Parameters:
  ///   - text: exactly one value, with white space around it if you like.
  ///   - limits: what is refused for its size.
  /// - Throws: ``QMPError`` with QEMU's text for what is wrong, or for going over a limit.
  public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(QMPError) {
    var results: [Result<QMPValue, QMPError>] = []
    var reader = JSONReader(limits: limits)
    // The first error is the one to tell; what comes after it is not kept.
    let emit = { (result: Result<QMPValue, QMPError>) in
      if results.count < 2 { results.append(result) }
    }
    reader.feed(text.utf8, emit: emit)
    reader.finish(emit: emit)
    for result in results { _ = try result.get() }
    guard let first = results.first else {
      throw QMPError(.genericError, "Expecting a JSON value")
    }
    guard results.count == 1 else {
      throw QMPError(.genericError, "Expecting at most one JSON value")
    }
    self = try first.get()
  }
}
