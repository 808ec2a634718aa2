/// The arguments of one call, or an object among them, after the check against a signature.
///
/// The typed reads cannot fail for members that the signature declares with that type.
public struct Arguments: Sendable, Hashable {
  /// The members as they were given.
  public let members: [QMPValue.Member]

  /// Wraps members that were checked.
  public init(_ members: [QMPValue.Member]) { self.members = members }

  /// A member's value; nil if it is absent.
  public subscript(name: String) -> QMPValue? { members.first { $0.name == name }?.value }

  /// Text that has to be there.
  public func string(_ name: String) throws(QMPError) -> String {
    guard let value = string(ifPresent: name) else { throw missing(name) }
    return value
  }

  /// Text that may be absent.
  public func string(ifPresent name: String) -> String? {
    guard case .string(let value) = self[name] else { return nil }
    return value
  }

  /// Texts that have to be there.
  public func strings(_ name: String) throws(QMPError) -> [String] {
    guard let value = strings(ifPresent: name) else { throw missing(name) }
    return value
  }

  /// Texts that may be absent.
  public func strings(ifPresent name: String) -> [String]? {
    guard case .array(let values) = self[name] else { return nil }
    return values.compactMap { value in
      if case .string(let text) = value { text } else { nil }
    }
  }

  /// A switch with the value that it has when it is absent.
  public func flag(_ name: String, default absent: Bool = false) -> Bool {
    guard case .bool(let value) = self[name] else { return absent }
    return value
  }

  /// A whole number that has to be there.
  public func unsigned(_ name: String) throws(QMPError) -> UInt64 {
    guard let value = unsigned(ifPresent: name) else { throw missing(name) }
    return value
  }

  /// A whole number that may be absent.
  public func unsigned(ifPresent name: String) -> UInt64? { self[name]?.unsigned }

  /// An object that has to be there.
  public func object(_ name: String) throws(QMPError) -> Arguments {
    guard let value = object(ifPresent: name) else { throw missing(name) }
    return value
  }

  /// An object that may be absent.
  public func object(ifPresent name: String) -> Arguments? {
    guard case .object(let members) = self[name] else { return nil }
    return Arguments(members)
  }

  /// Objects that have to be there.
  public func objects(_ name: String) throws(QMPError) -> [Arguments] {
    guard case .array(let values) = self[name] else { throw missing(name) }
    return values.compactMap { value in
      if case .object(let members) = value { Arguments(members) } else { nil }
    }
  }

  private func missing(_ name: String) -> QMPError {
    QMPError(.genericError, "Parameter '\(name)' is missing")
  }
}
