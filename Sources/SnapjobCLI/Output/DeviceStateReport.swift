import Jobs
import QMP

/// A device state for people.
struct DeviceStateReport {
  private let state: QMPValue

  /// Takes the reply of `x-snapjob-device-state-inspect`.
  init(_ state: QMPValue) { self.state = state }

  /// The parts, or only those of one device.
  ///
  /// - Parameters:
  ///   - name: `i8259`, or one of several instances: `i8259#1`; nil for all parts.
  ///   - source: where the state is, for the message.
  ///   - arguments: what names the state in a command.
  /// - Returns: as the reply has them.
  /// - Throws: not found if there is no such device.
  func parts(
    ofDevice name: String?, in source: String, _ arguments: [String]
  ) throws(CommandFailure) -> [QMPValue] {
    let parts = state["parts"]?.elements ?? []
    guard let name else { return parts }
    let found = parts.filter { part in
      let device = part.text("name")
      return device == name || "\(device)#\(part.integer("instance"))" == name
    }
    guard !found.isEmpty else {
      throw CommandFailure(
        .notFound,
        "\(source) has no device '\(name)'. See: \(NextStep(["devices", "inspect"] + arguments))")
    }
    return found
  }

  /// The reply with these parts alone.
  func json(_ parts: [QMPValue]) -> QMPValue {
    .object(state.members.map { $0.name == "parts" ? .init("parts", .array(parts)) : $0 })
  }

  /// What there is to say of the whole.
  var lines: [String] {
    var lines: [(String, String)] = []
    if let type = state["machine-type"]?.asText { lines.append(("machine type", type)) }
    if let run = state["run-state"]?.asText { lines.append(("run state", run)) }
    if let ram = state["ram"], ram != .null { lines.append(("RAM", Self.text(ram: ram))) }
    if let pages = state["page-size"]?.asInteger {
      lines.append(("page size", Quantity.bytes(pages)))
    }
    lines.append(("length", Quantity.count(Int(clamping: state.integer("length")), "byte")))
    return lines.map { name, text in
      name + String(repeating: " ", count: 14 - name.count) + Table.printable(text)
    }
  }

  private static func text(ram: QMPValue) -> String {
    let blocks = (ram["blocks"]?.elements ?? []).map {
      "\($0.text("name")) \(Quantity.bytes($0.integer("size")))"
    }
    return "\(Quantity.bytes(ram.integer("size"))) (\(blocks.joined(separator: ", ")))"
  }

  /// The parts with their sizes in bytes.
  func table(_ parts: [QMPValue]) -> Table {
    var table = Table([
      .init("DEVICE"), .init("INSTANCE", right: true), .init("VERSION", right: true),
      .init("SIZE", right: true),
    ])
    for part in parts {
      let kind = part.text("kind")
      let isDevice = kind == "device" || kind == "iterable"
      table.add([
        isDevice ? part.text("name") : "(\(kind))",
        isDevice ? "\(part.integer("instance"))" : "", isDevice ? "\(part.integer("version"))" : "",
        "\(part.integer("size"))",
      ])
    }
    return table
  }

  /// The decoded fields.
  var fieldTable: Table {
    let fields = state["fields"]?.elements ?? []
    let showsInstance = Set(fields.map { $0.integer("instance") }).count > 1
    var table = Table(
      (showsInstance ? [.init("INSTANCE", right: true)] : [])
        + [.init("FIELD"), .init("TYPE"), .init("OFFSET", right: true), .init("VALUE")])
    for field in fields {
      table.add(
        (showsInstance ? ["\(field.integer("instance"))"] : [])
          + [
            field.text("name"), field.text("type"), "\(field.integer("offset"))",
            Self.text(field["value"]),
          ])
    }
    return table
  }

  /// How many characters of a value are shown.
  private static let shownCharacters = 64

  /// A field's value, cut if it is long.
  static func text(_ value: QMPValue?) -> String {
    let text =
      switch value {
      case nil, .null: ""
      case .string(let digits): digits
      case .some(let other): other.jsonText
      }
    return text.count > shownCharacters ? text.prefix(shownCharacters - 1) + "…" : text
  }
}
