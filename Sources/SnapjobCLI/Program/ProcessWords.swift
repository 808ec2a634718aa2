import Glibc

/// What the process was started with: its arguments, and the variables of its environment that are snapjob's.
///
/// Swift makes text of bytes that are none by putting a sign in their place. A file would be another file then, and
/// two tags one. So such words are refused.
enum ProcessWords {
  /// The arguments behind the program's name.
  ///
  /// - Returns: the arguments.
  /// - Throws: a failure (usage) that names the first that is no UTF-8.
  static func arguments() throws(CommandFailure) -> [String] {
    for variable in entries(unsafe: environ) where variable.starts(with: "SNAPJOB_".utf8) {
      _ = try text(variable, "the variable")
    }
    var arguments: [String] = []
    for argument in entries(unsafe: CommandLine.unsafeArgv).dropFirst() {
      arguments.append(try text(argument, "the argument"))
    }
    return arguments
  }

  /// A word as text.
  ///
  /// - Parameters:
  ///   - bytes: the word.
  ///   - what: what it is, for the message.
  /// - Returns: the text.
  /// - Throws: a failure (usage) if it is no UTF-8.
  static func text(_ bytes: [UInt8], _ what: String) throws(CommandFailure) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    let shown = bytes.map { byte in
      byte < 0x80
        ? String(UnicodeScalar(byte)) : "\\x" + String(byte, radix: 16)
    }.joined()
    throw CommandFailure(
      .usage,
      "\(what) '\(Table.printable(shown))' is no UTF-8, and would be taken for another one. A file can be given "
        + "another name: mv, or ln -s; a snapshot of such a name is named by --id")
  }

  /// The entries of a list that ends with a null pointer.
  private static func entries(
    unsafe list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  ) -> [[UInt8]] {
    guard let list else { return [] }
    var entries: [[UInt8]] = []
    while let entry = list[entries.count] {
      entries.append(UnsafeRawBufferPointer(start: entry, count: strlen(entry)).map(\.self))
    }
    return entries
  }
}
