extension Image {
  /// The active L1 table as it is on disk, flags included.
  func readActiveL1() throws(Qcow2Error) -> [UInt64] {
    try readL1(at: header.l1TableOffset, count: Int(header.l1Size), name: "active L1 table")
  }

  /// A snapshot's L1 table as it is on disk, flags included.
  func readL1(of entry: SnapshotEntry) throws(Qcow2Error) -> [UInt64] {
    // An image that was opened for a check has not been asked yet.
    try entry.validate(geometry)
    return try readL1(at: entry.l1TableOffset, count: Int(entry.l1Size), name: "snapshot L1 table")
  }

  /// Reads and checks a table whose size was checked against its limit.
  private func readL1(
    at offset: HostOffset, count: Int, name: String
  ) throws(Qcow2Error) -> [UInt64] {
    guard count > 0 else { return [] }
    let words = try file.readWords(count: count, at: offset)
    for word in words {
      guard word & TableEntry.l1ReservedMask == 0,
        geometry.isAligned(HostOffset(word & TableEntry.offsetMask))
      else {
        throw Qcow2Error.corrupt(
          "an entry of the \(name) is not valid", at: offset.bytes)
      }
    }
    return words
  }
}
