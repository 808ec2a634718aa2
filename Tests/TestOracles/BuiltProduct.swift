import Glibc

/// Programs of this package, as they were built beside the tests.
public enum BuiltProduct {
  /// Finds a program.
  ///
  /// - Parameter name: of the product.
  /// - Returns: its path.
  /// - Throws: ``OracleError`` if it is not beside the tests.
  public static func path(_ name: String) throws(OracleError) -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { throw OracleError("cannot find this program's own path") }
    let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // With Swift Testing alone the tests run inside a helper of the toolchain; the bundle is then
    // among the arguments.
    let places = [own] + CommandLine.arguments
    for place in places {
      var parts = place.split(separator: "/", omittingEmptySubsequences: false)
      while !parts.isEmpty {
        parts.removeLast()
        let path = (parts + [Substring(name)]).joined(separator: "/")
        if path.hasPrefix("/"), access(path, X_OK) == 0, path.contains("/debug/") { return path }
      }
    }
    throw OracleError("the built program '\(name)' is not beside the tests")
  }
}
