import Glibc

/// The words that the process was started with, the program's name first. Any of them may name a file.
public func processArguments() -> [String] {
  (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { String(fileName: $0) } }
}

/// The environment's variables.
public func processEnvironment() -> [String: String] {
  var result: [String: String] = [:]
  var entry = environ
  while let variable = entry.pointee {
    let line = String(fileName: variable)
    if let equals = line.utf8.firstIndex(of: UInt8(ascii: "=")) {
      result[String(line[..<equals])] = String(line[line.utf8.index(after: equals)...])
    }
    entry += 1
  }
  return result
}
