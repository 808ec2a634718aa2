/// The name of a job: a letter, then letters, digits, `-`, `.` and `_`, all ASCII.
///
/// The rule is QEMU's `id_wellformed`; there is no limit of length.
public struct JobID: Hashable, Sendable, CustomStringConvertible, Codable {
  /// The name itself.
  public let description: String

  /// Checks a name.
  ///
  /// - Parameter name: the name as a client gave it.
  /// - Throws: ``JobError`` with QEMU's text `Invalid job ID '<name>'`.
  public init(_ name: String) throws(JobError) {
    guard Self.isWellFormed(name) else {
      throw JobError(.general, "Invalid job ID '\(name)'")
    }
    description = name
  }

  /// Whether a string is a well-formed id in QEMU's sense.
  ///
  /// Job ids, node aliases and the node names that users give obey the same rule.
  public static func isWellFormed(_ name: String) -> Bool {
    guard let first = name.utf8.first, isLetter(first) else { return false }
    return name.utf8.dropFirst().allSatisfy { byte in
      isLetter(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
        || byte == 0x5F
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }
}
