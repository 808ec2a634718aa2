/// What the fuzzers of the nested package `Fuzz` do with their bytes. **Not API**: a product only because another
/// package can reach nothing else.
///
/// Each function reads the bytes as one kind of content from outside, does with it what snapjob does, and throws a
/// ``Finding`` where something comes out that must not. Errors on the way are right answers.
public enum FuzzEntry {
  /// Bytes of an input, as the fuzzer hands them over.
  public typealias Bytes = UnsafeBufferPointer<UInt8>

  /// An image file: looks at it, reads it, and changes it in every way.
  public static func image(_ bytes: Bytes) throws(Finding) {
    try ImageExercise(Array(bytes)).run()
  }

  /// What a QMP client sends, or a server.
  public static func qmp(_ bytes: Bytes) throws(Finding) {
    try QMPExercise(Array(bytes)).run()
  }

  /// A QEVM stream.
  public static func deviceState(_ bytes: Bytes) throws(Finding) {
    try StreamExercise(Array(bytes)).run()
  }

  /// A catalog's file.
  public static func catalog(_ bytes: Bytes) throws(Finding) {
    try CatalogExercise(Array(bytes)).run()
  }

  /// A command line, and what the endpoint replies to its commands.
  public static func commandLine(_ bytes: Bytes) throws(Finding) {
    try CommandLineExercise(Array(bytes)).run()
  }
}

/// What a fuzzer looks for, beside a crash: something came out that must not.
public struct Finding: Error, CustomStringConvertible {
  /// What it was, for people.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Throws a finding unless something holds.
func require(_ condition: Bool, _ finding: @autoclosure () -> String) throws(Finding) {
  if !condition { throw Finding(finding()) }
}
