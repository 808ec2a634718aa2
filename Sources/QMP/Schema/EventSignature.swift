/// What an event carries: the data of which `query-qmp-schema` is made.
public struct EventSignature: Sendable, Hashable {
  /// The event's name.
  public let name: String
  /// The members of its data; none for events without.
  public let data: SchemaObject

  /// Makes a signature.
  public init(_ name: String, _ data: [SchemaMember] = []) {
    self.name = name
    self.data = SchemaObject(data)
  }
}
