/// A JSON value as QMP knows it: integers and floating-point numbers are different things, and
/// objects keep the order of their members.
public enum QMPValue: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number.
  case int(Int64)
  /// A whole number above the range of `Int64`.
  case uint(UInt64)
  /// Any other number.
  case double(Double)
  /// Text.
  case string(String)
  /// A list.
  case array([QMPValue])
  /// Members in order; names are unique.
  case object([Member])

  /// One member of an object.
  public struct Member: Sendable, Hashable {
    /// The member's name.
    public let name: String
    /// The member's value.
    public let value: QMPValue

    /// Makes a member.
    public init(_ name: String, _ value: QMPValue) {
      self.name = name
      self.value = value
    }
  }

  /// The member of an object with this name; nil if there is none or this is no object.
  public subscript(name: String) -> QMPValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }
}

extension QMPValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
  ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
  /// An object with these members in this order.
  public init(dictionaryLiteral elements: (String, QMPValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
  /// A list of these values.
  public init(arrayLiteral elements: QMPValue...) { self = .array(elements) }
  /// Text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// `true` or `false`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}
