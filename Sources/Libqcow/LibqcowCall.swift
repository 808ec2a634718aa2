import CLibqcow
import Jobs

/// How libqcow's functions report: -1 for a failure, with an error object that the caller frees.
enum LibqcowCall {
  /// Calls a function of libqcow.
  ///
  /// - Parameters:
  ///   - path: the image, for the error.
  ///   - body: the call; it passes on the place for the error object.
  /// - Returns: what the function returned, 0 or more.
  /// - Throws: `JobError` (refused) with libqcow's own text.
  @discardableResult static func check<Count: SignedInteger>(
    _ path: String, _ body: (inout UnsafeMutablePointer<libqcow_error_t>?) -> Count
  ) throws(JobError) -> Count {
    var error: UnsafeMutablePointer<libqcow_error_t>?
    defer { libqcow_error_free(&error) }
    let result = body(&error)
    guard result >= 0 else {
      throw JobError(.refused, "\(path): libqcow cannot read it: \(text(of: error))")
    }
    return result
  }

  /// The innermost of the messages, which is the reason, without the function's name.
  private static func text(of error: UnsafeMutablePointer<libqcow_error_t>?) -> String {
    var buffer = [CChar](repeating: 0, count: 32768)
    guard error != nil, libqcow_error_backtrace_sprint(error, &buffer, buffer.count) > 0 else {
      return "no reason given"
    }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first ?? ""
    let reason = line.split(separator: ": ", maxSplits: 1).last ?? line
    return reason.hasSuffix(".") ? String(reason.dropLast()) : String(reason)
  }
}
