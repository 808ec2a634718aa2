/// Job ids as the command line makes them.
enum JobName {
  /// `<verb>-<yyyyMMdd-HHmmss>-<4 hexadecimal digits>`, the time in UTC.
  static func make(verb: String, host: Host) -> String {
    let digits = String(host.random(), radix: 16)
    let suffix = String(repeating: "0", count: 4 - digits.count) + digits
    return "\(verb)-\(Moment(microseconds: host.now()).compactText)-\(suffix)"
  }
}
