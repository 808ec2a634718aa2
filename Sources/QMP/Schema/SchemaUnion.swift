/// What turns an object type into a flat union: one of its members, the tag, says which further
/// members there are.
public struct SchemaUnion: Sendable, Hashable {
  /// The further members for one word of the tag.
  public struct Variant: Sendable, Hashable {
    /// The word.
    public let word: String
    /// The members that come with it.
    public let object: SchemaObject

    /// Makes a variant.
    public init(_ word: String, _ members: [SchemaMember] = []) {
      self.word = word
      object = SchemaObject(members)
    }
  }

  /// The name of the member that decides.
  public let tag: String
  /// One variant for each word of the tag.
  public let variants: [Variant]

  /// The members that come with a word; none for one that the tag does not know.
  func members(for word: QMPValue?) -> SchemaObject {
    guard case .string(let word) = word else { return .empty }
    return variants.first { $0.word == word }?.object ?? .empty
  }
}

extension SchemaObject {
  /// Makes a flat union.
  ///
  /// - Parameters:
  ///   - name: the type's name in QAPI's style.
  ///   - tag: the member that decides; it is checked first.
  ///   - tagName: the name of its enumeration in QAPI's style.
  ///   - common: the members that are there in any case.
  ///   - variants: one for each word of the tag.
  public init(
    _ name: String, tag: String, _ tagName: String, common: [SchemaMember] = [],
    _ variants: [SchemaUnion.Variant]
  ) {
    let words = SchemaEnumeration(tagName, variants.map(\.word))
    self.init(
      name, [.required(tag, .enumeration(words))] + common,
      union: SchemaUnion(tag: tag, variants: variants))
  }
}
