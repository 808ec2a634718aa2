/// What `query-qmp-schema` replies (`SchemaInfo` of qapi/introspect.json): commands and events by
/// name, and every type that they use, each once.
///
/// As in QEMU, types other than the built-in ones have numbers for names: they are no part of the
/// interface. Lists are `[` + the name of their elements' type + `]`.
public struct SchemaListing: Sendable {
  /// The list, in QEMU's order: what has a name first, then the types.
  public var value: QMPValue { .array(commands + events + types) }

  private var commands: [QMPValue] = []
  private var events: [QMPValue] = []
  private var types: [QMPValue] = []
  private var names: [SchemaType: String] = [:]
  private var nextNumber = 0

  /// Lists commands and events.
  public init(commands: [CommandSignature], events: [EventSignature]) {
    for command in commands { list(command) }
    for event in events {
      let arguments = reference(.object(event.data))
      self.events.append([
        "name": .string(event.name), "meta-type": "event", "arg-type": arguments,
      ])
    }
  }

  private mutating func list(_ command: CommandSignature) {
    let arguments = reference(.object(command.arguments))
    let returns = reference(command.returns)
    var members: [QMPValue.Member] = [
      .init("name", .string(command.name)), .init("ret-type", returns),
    ]
    if command.allowsOutOfBand { members.append(.init("allow-oob", true)) }
    members += [.init("meta-type", "command"), .init("arg-type", arguments)]
    if !command.features.isEmpty {
      members.append(.init("features", .array(command.features.map { .string($0) })))
    }
    commands.append(.object(members))
  }

  // MARK: Types

  private mutating func reference(_ type: SchemaType) -> QMPValue { .string(name(of: type)) }

  /// The name by which the list refers to a type, which is entered when it is met first.
  private mutating func name(of type: SchemaType) -> String {
    switch type {
    case .string: enter(type, "str", "string")
    case .boolean: enter(type, "bool", "boolean")
    case .integer, .unsigned, .unsigned32: enter(.integer, "int", "int")
    case .number: enter(type, "number", "number")
    case .null: enter(type, "null", "null")
    case .any: enter(type, "any", "value")
    case .array(let element): enterArray(type, of: element)
    case .object, .enumeration, .alternate: names[type] ?? enterNumbered(type)
    }
  }

  private mutating func enter(_ type: SchemaType, _ name: String, _ jsonType: String) -> String {
    if names.updateValue(name, forKey: type) == nil {
      types.append([
        "name": .string(name), "json-type": .string(jsonType), "meta-type": "builtin",
      ])
    }
    return name
  }

  private mutating func enterArray(_ type: SchemaType, of element: SchemaType) -> String {
    let element = name(of: element)
    let name = "[\(element)]"
    // `[int]` is one type, whatever sizes its integers have.
    guard !names.values.contains(name) else { return name }
    names[type] = name
    types.append([
      "name": .string(name), "element-type": .string(element), "meta-type": "array",
    ])
    return name
  }

  private mutating func enterNumbered(_ type: SchemaType) -> String {
    let name = "\(nextNumber)"
    nextNumber += 1
    names[type] = name
    // The entry stands before those of the types that it refers to.
    let index = types.count
    types.append(.null)
    types[index] = .object([.init("name", .string(name))] + describe(type))
    return name
  }

  private mutating func describe(_ type: SchemaType) -> [QMPValue.Member] {
    switch type {
    case .object(let object): describe(object)
    case .enumeration(let enumeration):
      [
        .init("members", .array(enumeration.values.map { ["name": .string($0)] })),
        .init("meta-type", "enum"),
        .init("values", .array(enumeration.values.map { .string($0) })),
      ]
    case .alternate(let alternate):
      [
        .init("members", .array(alternate.types.map { ["type": reference($0)] })),
        .init("meta-type", "alternate"),
      ]
    default: []
    }
  }

  private mutating func describe(_ object: SchemaObject) -> [QMPValue.Member] {
    var members: [QMPValue.Member] = []
    if let union = object.union {
      members.append(.init("tag", .string(union.tag)))
      let variants: [QMPValue] = union.variants.map { variant in
        ["case": .string(variant.word), "type": reference(.object(variant.object))]
      }
      members.append(.init("variants", .array(variants)))
    }
    members.append(.init("members", .array(object.members.map { describe($0) })))
    members.append(.init("meta-type", "object"))
    return members
  }

  private mutating func describe(_ member: SchemaMember) -> QMPValue {
    let type = reference(member.type)
    let name = QMPValue.Member("name", .string(member.name))
    let optional = QMPValue.Member("default", .null)
    return .object([name] + (member.isOptional ? [optional] : []) + [.init("type", type)])
  }
}
