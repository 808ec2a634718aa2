internal import DeviceState
internal import Jobs

/// A channel as a stream's source: it only goes from front to back.
struct ChannelSource: StreamSource {
  let channel: PatientChannel

  var byteCount: UInt64? { nil }

  mutating func read(
    into buffer: inout MutableRawSpan, at offset: UInt64
  ) throws(StreamError) -> Int {
    do throws(JobError) {
      return try buffer.withUnsafeMutableBytes { bytes throws(JobError) in
        try channel.read(into: bytes)
      }
    } catch {
      throw .source(error, at: offset)
    }
  }
}

extension PatientChannel {
  /// Takes what a stream's writer writes.
  var output: StreamOutput {
    { [self] bytes throws(StreamError) in
      do throws(JobError) {
        try bytes.withUnsafeBytes { bytes throws(JobError) in try write(bytes) }
      } catch {
        throw .output(error)
      }
    }
  }
}

extension JobError {
  /// A failure of a stream as a job reports it: the only place where the codes of streams are mapped.
  init(_ error: StreamError) {
    if let cause = error.cause as? JobError {
      self = cause
      return
    }
    let kind: FailureKind =
      switch error.code {
      case .notFound: .notFound
      case .exists: .conflict
      case .source, .output: .general
      case .notAStream, .unsupported, .malformed, .truncated, .overLimit, .mismatch: .refused
      }
    self.init(kind, "\(error)")
  }
}
