import FoundationEssentials

/// A JSON value, parsed by Foundation: an oracle must not share the parser of what it judges.
public enum JSONValue: Sendable, Hashable, Decodable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number.
  case int(Int64)
  /// Any other number.
  case double(Double)
  /// Text.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// Members by name.
  case object([String: JSONValue])

  /// Parses a text.
  ///
  /// - Parameter text: one JSON value.
  /// - Throws: ``OracleError`` with the text if it is none.
  public init(parsing text: String) throws(OracleError) {
    do {
      self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    } catch {
      throw OracleError("no JSON (\(error)): \(text)")
    }
  }

  /// Reads one value of any kind.
  ///
  /// - Parameter decoder: stands at the value.
  /// - Throws: `DecodingError` for a number beyond all ranges.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .int(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else if let value = try? container.decode([String: JSONValue].self) {
      self = .object(value)
    } else {
      self = .double(try container.decode(Double.self))
    }
  }

  /// The member of an object; nil if there is none or this is no object.
  public subscript(name: String) -> JSONValue? {
    if case .object(let members) = self { members[name] } else { nil }
  }

  /// The element of a list; nil if there is none or this is no list.
  public subscript(index: Int) -> JSONValue? {
    if case .array(let elements) = self, elements.indices.contains(index) {
      elements[index]
    } else {
      nil
    }
  }

  /// The text; nil if this is none.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The whole number; nil if this is none.
  public var int: Int64? { if case .int(let value) = self { value } else { nil } }
  /// The truth value; nil if this is none.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The list; nil if this is none.
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  /// The members; nil if this is no object.
  public var object: [String: JSONValue]? {
    if case .object(let value) = self { value } else { nil }
  }

  /// A text as it stands in JSON, with its quotes.
  public static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
