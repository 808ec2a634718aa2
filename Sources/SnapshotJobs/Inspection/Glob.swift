/// A pattern of a shell: `*` any text, `?` one character, `[a-z]` and `[!a-z]` one of a set, and a backslash
/// before a character that is meant as it is.
///
/// Characters are Unicode scalars, whatever the locale. A bracket that is not closed means itself.
public struct Glob: Sendable, Hashable, CustomStringConvertible {
  private enum Element: Hashable {
    case any
    case one
    case scalar(Unicode.Scalar)
    case set([ClosedRange<Unicode.Scalar>], isInverted: Bool)

    func matches(_ scalar: Unicode.Scalar) -> Bool {
      switch self {
      case .any, .one: true
      case .scalar(let own): own == scalar
      case .set(let ranges, let isInverted): ranges.contains { $0.contains(scalar) } != isInverted
      }
    }
  }

  /// The pattern as it was written.
  public let description: String
  private let elements: [Element]

  /// Reads a pattern; every text is one.
  public init(_ pattern: String) {
    description = pattern
    var elements: [Element] = []
    var rest = Substring(pattern).unicodeScalars
    while let scalar = rest.popFirst() {
      switch scalar {
      case "*": if elements.last != .any { elements.append(.any) }
      case "?": elements.append(.one)
      case "[": elements.append(Self.popSet(&rest) ?? .scalar(scalar))
      case "\\": elements.append(.scalar(rest.popFirst() ?? scalar))
      default: elements.append(.scalar(scalar))
      }
    }
    self.elements = elements
  }

  /// Takes a set off the rest, behind its opening bracket; nil, and nothing taken, if it is not closed.
  private static func popSet(_ rest: inout Substring.UnicodeScalarView) -> Element? {
    var look = rest
    let isInverted = look.first == "!" || look.first == "^"
    if isInverted { look.removeFirst() }
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    var isFirst = true
    while let scalar = look.popFirst() {
      // A closing bracket that comes first is a member.
      if scalar == "]", !isFirst {
        rest = look
        return .set(ranges, isInverted: isInverted)
      }
      isFirst = false
      let lower = scalar == "\\" ? look.popFirst() ?? scalar : scalar
      var upper = lower
      var behind = look
      if behind.popFirst() == "-", let end = behind.popFirst(), end != "]" {
        look = behind
        upper = end == "\\" ? look.popFirst() ?? end : end
      }
      if lower <= upper { ranges.append(lower...upper) }
    }
    return nil
  }

  /// Whether the whole of a text fits.
  public func matches(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    var (element, position) = (0, 0)
    // Where to go on if it does not fit: the last `*` takes one character more. Earlier ones need not.
    var retry: (element: Int, position: Int)?
    while position < scalars.count {
      if element < elements.count, elements[element] == .any {
        retry = (element, position)
        element += 1
      } else if element < elements.count, elements[element].matches(scalars[position]) {
        element += 1
        position += 1
      } else if let last = retry {
        retry = (last.element, last.position + 1)
        (element, position) = (last.element + 1, last.position + 1)
      } else {
        return false
      }
    }
    return elements[element...].allSatisfy { $0 == .any }
  }
}
