/// A stream with its devices' states at hand.
public struct StreamContents {
  /// What it consists of.
  public let summary: StreamSummary
  private let source: any StreamSource

  /// Reads a stream to its last byte; states are read again when they are asked for.
  ///
  /// - Parameter source: a seekable source that does not change meanwhile.
  /// - Throws: ``StreamError``.
  public init(reading source: any StreamSource) throws(StreamError) {
    guard source.byteCount != nil else {
      throw StreamError(.unsupported, "the source is not seekable")
    }
    summary = try StreamSummary(reading: source)
    self.source = source
  }

  /// The devices of a name, or one of them: `i8259`, `i8259#1`.
  ///
  /// - Parameter name: without a number it is all instances'.
  /// - Returns: in the stream's order; none if there is no such device.
  public func devices(named name: String) -> [StreamSummary.Device] {
    summary.devices.filter {
      $0.name.name == name || "\($0.name.name)#\($0.name.instance)" == name
    }
  }

  /// A device's state.
  ///
  /// - Parameter device: one of the summary's.
  /// - Returns: its bytes.
  /// - Throws: ``StreamError`` if it is larger than ``StreamLimits/decodedByteCount``, or the source
  ///   fails.
  public func state(of device: StreamSummary.Device) throws(StreamError) -> [UInt8] {
    let count = UInt64(device.payload.count)
    guard count <= StreamLimits.decodedByteCount else {
      throw StreamError(
        .overLimit,
        "a state of \(count) bytes is not told by fields; the limit is "
          + "\(StreamLimits.decodedByteCount)", at: device.offset, section: device.header.place)
    }
    return try bytes(at: device.payload.lowerBound, Int(count))
  }

  /// The fields of a device's state.
  ///
  /// - Parameters:
  ///   - device: one of the summary's.
  ///   - other: a description to use if the stream has none: that of another state of this machine.
  /// - Returns: nil if nothing describes them, or what does so does not fit.
  /// - Throws: ``StreamError`` as of ``state(of:)``.
  public func fields(
    of device: StreamSummary.Device, describedBy other: VMDescription? = nil
  ) throws(StreamError) -> [DeviceField]? {
    let description = (summary.description ?? other)?.devices.first { $0.device == device.name }
    guard let description, description.state.byteCount == UInt64(device.payload.count),
      description.state.version == 0 || description.state.version == Int64(device.header.version)
    else { return nil }
    let bytes = try state(of: device)
    return try? description.state.fields(of: bytes)
  }

  /// Bytes of the stream, whose number is small.
  func bytes(at offset: UInt64, _ count: Int) throws(StreamError) -> [UInt8] {
    var cursor = StreamCursor(source, capacity: StreamCursor.minimumCapacity)
    cursor.seek(to: offset)
    guard let bytes = try cursor.read(byteCount: count) else { throw cursor.truncated(in: nil) }
    return bytes
  }
}
