import Monitor
import QMP

/// Reads bytes as the texts of a QMP client, and as those of a server.
struct QMPExercise {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let commands = Monitor.commands
  private static let byName = Dictionary(uniqueKeysWithValues: commands.map { ($0.name, $0) })
  private static let listing = SchemaListing(
    commands: commands, events: Monitor.eventSignatures
  ).value

  func run() throws(Finding) {
    let values = read(inPacketsOf: max(bytes.count, 1))
    // Where packets end says nothing.
    try require(values == read(inPacketsOf: 7), "the packets' ends have changed what was read")
    var session = QMPSession(commands: Self.commands)
    for value in values {
      try take(session.receive(value))
      if case .success(let value) = value { try lookAt(value) }
    }
    _ = (session.isNegotiated, session.queueLimit, Self.listing)
    _ = try? QMPValue(parsing: String(decoding: bytes, as: UTF8.self))
  }

  private func read(inPacketsOf count: Int) -> [Result<QMPValue, QMPError>] {
    var values: [Result<QMPValue, QMPError>] = []
    var reader = JSONReader()
    for start in stride(from: 0, to: bytes.count, by: count) {
      reader.feed(bytes[start..<min(start + count, bytes.count)]) { values.append($0) }
    }
    reader.finish { values.append($0) }
    return values
  }

  private func take(_ action: QMPSession.Action) throws(Finding) {
    switch action {
    case .reply(let reply), .begin(let reply): try lookAt(reply)
    case .execute(let request):
      try lookAt(request.message)
      try lookAt(request.reply(.failure(QMPError(.genericError, request.command, kind: "usage"))))
      guard let signature = Self.byName[request.command] else { return }
      if let arguments = try? signature.check(request.arguments) { read(arguments) }
      if let value = request.arguments { try? signature.checkReply(value) }
    }
  }

  /// Reads arguments that were checked in all the ways in which commands do.
  private func read(_ arguments: Arguments) {
    for member in arguments.members {
      let name = member.name
      _ = (arguments.flag(name), arguments[name])
      _ = (try? arguments.string(name), try? arguments.strings(name))
      _ = try? arguments.unsigned(name)
      if let object = try? arguments.object(name) { read(object) }
      for object in (try? arguments.objects(name)) ?? [] { read(object) }
    }
  }

  /// What was read is the same once it is written and read again, and a client makes something of it.
  private func lookAt(_ value: QMPValue) throws(Finding) {
    let text = value.jsonText
    let again = try? QMPValue(parsing: text)
    try require(again?.jsonText == text, "\(text) is read as \(again?.jsonText ?? "nothing")")
    _ = (value.asInteger, value.asText, value.asTruth, value.texts("x"), value.integer("x"))
    guard let message = try? QMPServerMessage(value) else { return }
    if case .event(let event) = message { _ = event.message.jsonText }
  }
}
