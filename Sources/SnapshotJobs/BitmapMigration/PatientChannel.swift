internal import Jobs

/// A channel as a job uses it: waits are short, so that the job can be paused and cancelled, and end with an
/// error when the other side does nothing for too long.
struct PatientChannel: Sendable {
  /// How long one wait takes: a job looks up from its work at least that often.
  static let slice = Duration.milliseconds(50)

  let channel: any ByteChannel
  let control: JobControl
  /// How long the other side may do nothing.
  let patience: Duration
  /// The other side, for messages: `unix:/run/x.sock`.
  let peer: String

  /// Reads some bytes; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(JobError) -> Int {
    try waiting("has sent nothing") { () throws(JobError) in
      try channel.read(into: buffer, within: Self.slice)
    }
  }

  /// Writes all bytes.
  func write(_ bytes: UnsafeRawBufferPointer) throws(JobError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = try waiting("takes nothing") { () throws(JobError) in
        try channel.write(UnsafeRawBufferPointer(rebasing: rest), within: Self.slice)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// Writes all bytes.
  func write(_ bytes: [UInt8]) throws(JobError) {
    do {
      try bytes.withUnsafeBytes { try write($0) }
    } catch {
      throw JobError(wrapping: error)
    }
  }

  /// Reads so many bytes; fewer only at the end.
  func read(byteCount: Int) throws(JobError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    var filled = 0
    do {
      while filled < byteCount {
        let count = try bytes.withUnsafeMutableBytes { bytes in
          try read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[filled...]))
        }
        if count == 0 { break }
        filled += count
      }
    } catch {
      throw JobError(wrapping: error)
    }
    return Array(bytes[..<filled])
  }

  /// Tries again until something happens, or patience ends. A pause of the job does not count.
  private func waiting(
    _ inaction: String, _ attempt: () throws(JobError) -> Int?
  ) throws(JobError) -> Int {
    var waited = Duration.zero
    while true {
      try control.checkpoint()
      if let count = try attempt() { return count }
      waited += Self.slice
      guard waited < patience else {
        throw JobError(
          .timeout,
          "The other side (\(peer)) \(inaction) for \(patience.components.seconds) s. Nothing was "
            + "changed; look after it and start the transfer again")
      }
    }
  }
}
