/// Reading the members of replies. A member that is missing or of another type reads as nil, so
/// that a newer or another server is not an error.
extension QMPValue {
  /// The text of a string.
  package var asText: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The value of a whole number that fits.
  package var asInteger: Int64? {
    switch self {
    case .int(let value): value
    case .uint(let value): Int64(exactly: value)
    default: nil
    }
  }

  /// The value of `true` or `false`.
  package var asTruth: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The elements of a list; empty for everything else.
  package var elements: [QMPValue] {
    if case .array(let elements) = self { elements } else { [] }
  }

  /// The members of an object; empty for everything else.
  package var members: [Member] {
    if case .object(let members) = self { members } else { [] }
  }

  /// The text of a member; empty if there is none.
  package func text(_ name: String) -> String { self[name]?.asText ?? "" }

  /// The number of a member; 0 if there is none.
  package func integer(_ name: String) -> Int64 { self[name]?.asInteger ?? 0 }

  /// Whether a member is `true`.
  package func isTrue(_ name: String) -> Bool { self[name]?.asTruth ?? false }

  /// The texts of a list.
  package func texts(_ name: String) -> [String] { self[name]?.elements.compactMap(\.asText) ?? [] }

  /// A list of texts.
  package static func list(_ texts: [String]) -> QMPValue { .array(texts.map { .string($0) }) }

  /// An object of those members whose value is not nil.
  package static func present(_ members: KeyValuePairs<String, QMPValue?>) -> QMPValue {
    .object(members.compactMap { name, value in value.map { Member(name, $0) } })
  }
}
