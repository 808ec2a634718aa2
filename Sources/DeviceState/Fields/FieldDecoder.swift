import ByteCoding

extension StructDescription {
  /// The fields of a device's state, one for each that has no fields of its own, in the state's order.
  ///
  /// - Parameter payload: the device's state.
  /// - Returns: the fields, whose bytes together are the payload but for the headers of subsections.
  /// - Throws: ``StreamError`` if the description does not fit the state, or the state is too large for
  ///   ``StreamLimits``.
  public func fields(of payload: [UInt8]) throws(StreamError) -> [DeviceField] {
    guard payload.count <= StreamLimits.decodedByteCount else {
      throw StreamError(
        .overLimit,
        "a state of \(payload.count) bytes is not told by fields; the limit is "
          + "\(StreamLimits.decodedByteCount)")
    }
    var decoder = FieldDecoder(payload)
    try decoder.read(self, path: "")
    guard decoder.reader.remaining == 0 else { throw decoder.mismatch() }
    return decoder.fields
  }
}

/// Cuts a device's state into fields.
private struct FieldDecoder {
  var reader: ByteReader
  var fields: [DeviceField] = []
  private var rest = StreamLimits.decodedFieldCount
  private var pathRest = StreamLimits.decodedPathByteCount

  init(_ payload: [UInt8]) { reader = ByteReader(payload) }

  mutating func read(_ content: StructDescription, path: String) throws(StreamError) {
    for field in content.fields {
      let name = path + field.name + (field.index.map { "[\($0)]" } ?? "")
      try charge(name)
      if let structure = field.structure {
        try read(structure, field, path: name)
      } else {
        try read(field, path: name)
      }
    }
    for subsection in content.subsections {
      try readHeader(of: subsection)
      try read(subsection, path: path + subsection.name + ".")
    }
  }

  private mutating func charge(_ path: String) throws(StreamError) {
    pathRest -= path.utf8.count
    guard pathRest >= 0 else {
      throw StreamError(
        .overLimit,
        "the names of a state's fields have more than \(StreamLimits.decodedPathByteCount) bytes")
    }
  }

  private mutating func read(
    _ structure: StructDescription, _ field: FieldDescription, path: String
  ) throws(StreamError) {
    guard field.byteCount > 0 else { return }
    guard field.count <= UInt64(reader.remaining) else { throw mismatch() }
    for index in 0..<field.count {
      try read(structure, path: field.count > 1 ? "\(path)[\(index)]." : path + ".")
    }
  }

  private mutating func read(_ field: FieldDescription, path: String) throws(StreamError) {
    rest -= 1
    guard rest >= 0 else {
      throw StreamError(
        .overLimit, "a state of more than \(StreamLimits.decodedFieldCount) fields")
    }
    let (count, overflow) = field.byteCount.multipliedReportingOverflow(by: field.count)
    guard !overflow, count <= UInt64(reader.remaining) else { throw mismatch() }
    let offset = reader.position
    guard count > 0, let bytes = try? reader.read(byteCount: Int(count)) else { return }
    fields.append(
      DeviceField(
        path: path, type: field.type, offset: offset, elementByteCount: Int(field.byteCount),
        bytes: bytes))
  }

  private mutating func readHeader(of subsection: StructDescription) throws(StreamError) {
    let name = Array(subsection.name.utf8)
    guard (try? reader.read(UInt8.self)) == SectionType.subsection.rawValue,
      let count = try? reader.read(UInt8.self), Int(count) == name.count,
      (try? reader.read(byteCount: name.count)) == name,
      (try? reader.read(UInt32.self)) != nil
    else { throw mismatch() }
  }

  func mismatch() -> StreamError {
    StreamError(
      .mismatch, "the description does not fit the device's state behind byte \(reader.position)")
  }
}
