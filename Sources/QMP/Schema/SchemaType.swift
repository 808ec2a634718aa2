/// The type of an argument or of a return value, as `query-qmp-schema` knows them.
public indirect enum SchemaType: Sendable, Hashable {
  /// Text.
  case string
  /// `true` or `false`.
  case boolean
  /// A whole number that fits a signed 64-bit integer.
  case integer
  /// A whole number that fits an unsigned 64-bit integer (`uint64` and `size`).
  case unsigned
  /// A whole number that fits an unsigned 32-bit integer (`uint32`).
  case unsigned32
  /// Any number.
  case number
  /// `null`.
  case null
  /// Any value.
  case any
  /// A list.
  case array(SchemaType)
  /// An object with known members.
  case object(SchemaObject)
  /// One of several words.
  case enumeration(SchemaEnumeration)
  /// One of several types, told apart by the kind of JSON value.
  case alternate(SchemaAlternate)
}

/// An object type: its members in the order in which they are checked.
public struct SchemaObject: Sendable, Hashable {
  /// The type's name in QAPI's style; nil for one that is used in one place only.
  public let name: String?
  /// The members.
  public let members: [SchemaMember]
  /// The members that depend on the value of another one; nil for an object that is no union.
  public let union: SchemaUnion?

  /// Makes an object type with a name.
  public init(_ name: String, _ members: [SchemaMember]) {
    self.init(name, members, union: nil)
  }

  /// Makes an object type that is used in one place only.
  public init(_ members: [SchemaMember]) { self.init(nil, members, union: nil) }

  init(_ name: String?, _ members: [SchemaMember], union: SchemaUnion?) {
    self.name = name
    self.members = members
    self.union = union
  }

  /// The type without members.
  public static let empty = SchemaObject([])
}

/// One member of an object type.
public struct SchemaMember: Sendable, Hashable {
  /// The member's name.
  public let name: String
  /// The member's type.
  public let type: SchemaType
  /// Whether it may be absent.
  public let isOptional: Bool

  /// Makes a member that has to be there.
  public static func required(_ name: String, _ type: SchemaType) -> SchemaMember {
    SchemaMember(name: name, type: type, isOptional: false)
  }

  /// Makes a member that may be absent.
  public static func optional(_ name: String, _ type: SchemaType) -> SchemaMember {
    SchemaMember(name: name, type: type, isOptional: true)
  }

  /// A member whose value may be `null` in replies; arguments are never null.
  public static func nullable(_ name: String, _ type: SchemaType) -> SchemaMember {
    required(name, .alternate(SchemaAlternate("nullable", [type, .null])))
  }
}

/// An enumeration type.
public struct SchemaEnumeration: Sendable, Hashable {
  /// The type's name in QAPI's style; nil for one that is used in one place only.
  public let name: String?
  /// The words.
  public let values: [String]

  /// Makes an enumeration type with a name.
  public init(_ name: String, _ values: [String]) {
    self.name = name
    self.values = values
  }

  /// Makes an enumeration type that is used in one place only.
  public init(_ values: [String]) {
    name = nil
    self.values = values
  }
}

/// An alternate type.
public struct SchemaAlternate: Sendable, Hashable {
  /// The type's name in QAPI's style; errors name it.
  public let name: String
  /// The types; no two of them are the same kind of JSON value.
  public let types: [SchemaType]

  /// Makes an alternate type.
  public init(_ name: String, _ types: [SchemaType]) {
    self.name = name
    self.types = types
  }
}
