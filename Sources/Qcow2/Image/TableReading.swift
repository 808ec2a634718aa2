internal import ByteCoding

extension ImageFile {
  /// Bytes read or written at once where tables lie side by side.
  static var batchByteCount: Int { 4 << 20 }

  /// Reads big-endian words.
  ///
  /// - Parameters:
  ///   - count: how many; checked against a limit.
  ///   - offset: where they begin.
  ///   - isZeroPadded: whether what lies behind the end of the file reads as zeros, as QEMU has it;
  ///     otherwise it is an error.
  /// - Returns: the words.
  /// - Throws: ``Qcow2Error``.
  func readWords(
    count: Int, at offset: HostOffset, isZeroPadded: Bool = false
  ) throws(Qcow2Error) -> [UInt64] {
    var words = [UInt64](repeating: 0, count: count)
    try words.withUnsafeMutableBufferPointer { (buffer) throws(Qcow2Error) in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      if isZeroPadded {
        try readZeroPadded(into: bytes, at: Int64(offset.bytes))
      } else {
        try read(into: bytes, at: Int64(offset.bytes))
      }
    }
    swapBigEndian(&words)
    return words
  }

  /// Writes words as big-endian.
  func writeWords(_ words: [UInt64], at offset: HostOffset) throws(Qcow2Error) {
    var swapped = words
    swapBigEndian(&swapped)
    try swapped.withUnsafeBufferPointer { (buffer) throws(Qcow2Error) in
      try write(UnsafeRawBufferPointer(buffer), at: Int64(offset.bytes))
    }
  }

  /// Reads many tables of one cluster each, neighbours together.
  ///
  /// - Parameters:
  ///   - offsets: where they are, ascending, each once.
  ///   - geometry: the image's.
  ///   - isZeroPadded: as for ``readWords(count:at:isZeroPadded:)``.
  ///   - body: called once for each table in order, with the words of all tables read together and
  ///     the range of this one.
  /// - Throws: ``Qcow2Error``; what the body throws.
  func readTables(
    _ offsets: [HostOffset], geometry: ClusterGeometry, isZeroPadded: Bool = false,
    _ body: (HostOffset, _ words: inout [UInt64], _ range: Range<Int>) throws -> Void
  ) throws {
    let clusterSize = geometry.clusterSize
    let tablesAtOnce = max(1, Self.batchByteCount / clusterSize)
    let wordsPerTable = clusterSize / 8
    var first = 0
    while first < offsets.count {
      var count = 1
      while count < tablesAtOnce, first + count < offsets.count,
        offsets[first + count].bytes == offsets[first].bytes + UInt64(count * clusterSize)
      { count += 1 }
      var words = try readWords(
        count: count * wordsPerTable, at: offsets[first], isZeroPadded: isZeroPadded)
      for table in 0..<count {
        try body(
          offsets[first + table], &words, table * wordsPerTable..<(table + 1) * wordsPerTable)
      }
      first += count
    }
  }
}
