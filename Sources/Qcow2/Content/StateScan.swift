/// Reads a state to its end, works out its digest, and notes what cannot be read.
struct StateScan {
  /// What a scan is of.
  enum Subject {
    /// The disk: digested; what is unallocated comes from the backing file, if there is one.
    case disk
    /// VM state.
    case vmState
  }

  /// Bytes that were read, or are zeros by the tables.
  private(set) var bytesRead: UInt64 = 0
  /// Bytes of the backing file, which is not opened.
  private(set) var bytesFromBackingFile: UInt64 = 0
  /// Bytes that are encrypted and not read.
  private(set) var bytesEncrypted: UInt64 = 0
  /// What is wrong, by offsets from the subject's first byte.
  private(set) var problems = ContentProblems()

  private var reader: GuestReader
  private let subject: Subject
  private let isEncrypted: Bool
  private var hash = ContentHash()
  private var buffer: [UInt8]

  /// The digest of what was read; nil if it was not all.
  var digest: String? { bytesRead == reader.size ? hash.finish() : nil }

  /// Reads everything.
  ///
  /// - Parameters:
  ///   - reader: of the subject.
  ///   - subject: what it reads.
  ///   - isEncrypted: whether data are left out.
  ///   - progress: told the bytes that were gone through.
  init(
    _ reader: GuestReader, _ subject: Subject, isEncrypted: Bool, _ progress: (UInt64) -> Void
  ) {
    self.reader = reader
    self.subject = subject
    self.isEncrypted = isEncrypted
    buffer = [UInt8](repeating: 0, count: reader.clusterSize)
    let clusterSize = UInt64(reader.clusterSize)
    var offset: UInt64 = 0
    while offset < reader.size {
      var byteCount = min(clusterSize - offset % clusterSize, reader.size - offset)
      do throws(Qcow2Error) {
        let (mapping, runLength) = try self.reader.mapping(at: GuestOffset(offset))
        try take(mapping, at: offset, byteCount: runLength)
        byteCount = runLength
      } catch {
        let place = error.offset.map { " (host offset \(HostOffset($0)))" } ?? ""
        problems.note(error.message + place, offset..<offset + byteCount)
      }
      offset += byteCount
      progress(byteCount)
    }
  }

  /// Takes in a run that is mapped in one way.
  private mutating func take(
    _ mapping: ClusterMapping, at offset: UInt64, byteCount: UInt64
  ) throws(Qcow2Error) {
    switch mapping {
    case .unallocated where subject == .disk && reader.hasBackingFile:
      bytesFromBackingFile += byteCount
    case .unallocated, .zero:
      if subject == .disk { hash.update(zeros: byteCount) }
      bytesRead += byteCount
    case .data, .compressed:
      guard !isEncrypted else {
        bytesEncrypted += byteCount
        return
      }
      let extent = GuestExtent(range: offset..<offset + byteCount, kind: .data)
      try reader.hashContent(of: extent, into: &hash, &buffer)
      bytesRead += byteCount
    }
  }
}
