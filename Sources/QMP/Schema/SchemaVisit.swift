/// Checks values against types, with QEMU's error texts and in QEMU's order: the members as
/// declared, each missing or ill-typed one first, what is unexpected last.
struct SchemaVisit {
  /// Where a value is: `devices[0]`, `file.filename`.
  struct Place {
    /// The full path; nil at the top.
    let path: String?
    /// The member's own name; nil for elements of a list and at the top.
    let name: String?

    static let top = Place(path: nil, name: nil)

    func member(_ name: String) -> Place {
      Place(path: path.map { "\($0).\(name)" } ?? name, name: name)
    }

    func element(_ index: Int) -> Place { Place(path: "\(path ?? "")[\(index)]", name: nil) }

    /// What most errors call it.
    var fullName: String { path ?? "<anonymous>" }

    /// What errors about words and alternates call it: QEMU knows only the innermost name there.
    var ownName: String { name ?? "null" }
  }

  static func check(
    _ value: QMPValue, against type: SchemaType, at place: Place
  ) throws(QMPError) {
    switch type {
    case .any:
      return
    case .string:
      guard case .string = value else { throw place.invalidType("string") }
    case .boolean:
      guard case .bool = value else { throw place.invalidType("boolean") }
    case .null:
      guard case .null = value else { throw place.invalidType("null") }
    case .integer:
      guard case .int = value else { throw place.invalidType("integer") }
    case .unsigned:
      guard value.unsigned != nil else {
        throw QMPError(.genericError, "Parameter '\(place.fullName)' expects uint64")
      }
    case .unsigned32:
      // QEMU reads 64 bits, whatever the sign, and looks at their size then.
      switch value {
      case .int(let number) where UInt32(exactly: number) != nil: return
      case .int, .uint:
        throw QMPError(.genericError, "Parameter '\(place.fullName)' expects uint32_t")
      default: throw QMPError(.genericError, "Parameter '\(place.fullName)' expects uint64")
      }
    case .number:
      switch value {
      case .int, .uint, .double: return
      default: throw place.invalidType("number")
      }
    case .array(let element):
      guard case .array(let elements) = value else { throw place.invalidType("array") }
      for (index, value) in elements.enumerated() {
        try check(value, against: element, at: place.element(index))
      }
    case .object(let object):
      guard case .object(let members) = value else { throw place.invalidType("object") }
      try check(members, against: object, at: place)
    case .enumeration(let enumeration):
      guard case .string(let word) = value else { throw place.invalidType("string") }
      guard enumeration.values.contains(word) else {
        throw QMPError(
          .genericError, "Parameter '\(place.ownName)' does not accept value '\(word)'")
      }
    case .alternate(let alternate):
      guard let type = alternate.types.first(where: { value.isKind(of: $0) }) else {
        throw QMPError(
          .genericError,
          "Invalid parameter type for '\(place.ownName)', expected: \(alternate.name)")
      }
      try check(value, against: type, at: place)
    }
  }

  static func check(
    _ members: [QMPValue.Member], against object: SchemaObject, at place: Place
  ) throws(QMPError) {
    try checkKnown(object.members, in: members, at: place)
    var known = object.members
    if let union = object.union {
      let variant = union.members(for: members.first { $0.name == union.tag }?.value)
      try checkKnown(variant.members, in: members, at: place)
      known += variant.members
    }
    for member in members where !known.contains(where: { $0.name == member.name }) {
      throw QMPError(
        .genericError, "Parameter '\(place.member(member.name).fullName)' is unexpected")
    }
  }

  private static func checkKnown(
    _ expected: [SchemaMember], in members: [QMPValue.Member], at place: Place
  ) throws(QMPError) {
    for expected in expected {
      let place = place.member(expected.name)
      guard let member = members.first(where: { $0.name == expected.name }) else {
        if expected.isOptional { continue }
        throw QMPError(.genericError, "Parameter '\(place.fullName)' is missing")
      }
      try check(member.value, against: expected.type, at: place)
    }
  }
}

extension SchemaVisit.Place {
  fileprivate func invalidType(_ expected: String) -> QMPError {
    QMPError(.genericError, "Invalid parameter type for '\(fullName)', expected: \(expected)")
  }
}

extension QMPValue {
  /// A whole number that is not negative.
  var unsigned: UInt64? {
    switch self {
    case .int(let value): UInt64(exactly: value)
    case .uint(let value): value
    default: nil
    }
  }

  /// Whether this is the kind of JSON value by which an alternate chooses a type.
  fileprivate func isKind(of type: SchemaType) -> Bool {
    switch (self, type) {
    case (_, .any), (.null, .null), (.bool, .boolean), (.array, .array), (.object, .object):
      true
    case (.string, .string), (.string, .enumeration):
      true
    case (.int, .integer), (.int, .unsigned), (.uint, .integer), (.uint, .unsigned),
      (.int, .unsigned32), (.uint, .unsigned32):
      true
    case (.int, .number), (.uint, .number), (.double, .number):
      true
    default: false
    }
  }
}
