internal import ByteCoding

/// One entry of the snapshot table (qcow2 specification, "Snapshots"), in disk order.
struct SnapshotEntry: Sendable, Hashable {
  /// Where the snapshot's L1 table begins.
  var l1TableOffset: HostOffset
  /// Entries of the snapshot's L1 table.
  var l1Size: UInt32
  /// Unique within the image.
  var id: [UInt8]
  /// The tag.
  var name: [UInt8]
  /// Seconds since the epoch.
  var dateSeconds: UInt32
  /// Nanoseconds of the date.
  var dateNanoseconds: UInt32
  /// The guest's clock in nanoseconds.
  var vmClockNanoseconds: UInt64
  /// Bytes of VM state: the extra data's large form if there is one, else the 32-bit field.
  var vmStateSize: UInt64
  /// The disk's size in bytes; nil where an old program left it out.
  var diskSize: UInt64?
  /// Instruction count; all ones for none, nil where the entry has no such field.
  var icount: UInt64?
  /// Extra data that this version does not know, kept byte for byte.
  var unknownExtraData: [UInt8]
  /// Bytes of extra data beyond the limit, which a repair passes over.
  var excessExtraByteCount = 0

  /// All ones: no instruction count.
  static let noInstructionCount = UInt64.max

  /// What users see of it.
  ///
  /// - Parameter currentDiskSize: the disk's size in bytes where the entry does not say.
  /// - Returns: the summary.
  func summary(currentDiskSize: UInt64) -> Snapshot {
    Snapshot(
      id: String(decoding: id, as: UTF8.self), name: String(decoding: name, as: UTF8.self),
      nameBytes: name,
      dateSeconds: dateSeconds, dateNanoseconds: dateNanoseconds,
      vmClockNanoseconds: vmClockNanoseconds, vmStateSize: vmStateSize,
      diskSize: diskSize ?? currentDiskSize,
      icount: icount == Self.noInstructionCount ? nil : icount)
  }
}

/// The snapshot table.
struct SnapshotTable: Sendable, Hashable {
  /// The snapshots in table order.
  var entries: [SnapshotEntry] = []
  /// Bytes of the table on disk, without padding behind the last entry.
  private(set) var byteCount = 0

  init() {}

  /// Decodes a table. Where the L1 tables are is not checked; see ``validate(_:)``.
  ///
  /// - Parameters:
  ///   - bytes: the table; more may follow.
  ///   - count: entries, checked against the limit.
  ///   - dropsExcessExtraData: whether extra data beyond the limit is passed over, for a repair;
  ///     otherwise it is an error.
  /// - Throws: ``Qcow2Error``; ``ByteCodingError`` if the bytes end before the table does.
  init(decoding bytes: [UInt8], count: Int, dropsExcessExtraData: Bool = false) throws {
    var reader = ByteReader(bytes)
    for index in 0..<count {
      entries.append(
        try SnapshotEntry(
          decoding: &reader, index: index, dropsExcessExtraData: dropsExcessExtraData))
      byteCount = reader.position
      if byteCount > Limits.snapshotTableByteCount {
        throw Qcow2Error.overLimit("Snapshot table is too big")
      }
      if index < count - 1 { try reader.skip(byteCount: (8 - byteCount % 8) % 8) }
    }
  }

  /// Checks every entry's L1 table against the limits, before anything is read from it.
  func validate(_ geometry: ClusterGeometry) throws(Qcow2Error) {
    for entry in entries { try entry.validate(geometry) }
  }

  /// The table's bytes.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: entries.count * 128)
    for entry in entries {
      writer.pad(toMultipleOf: 8)
      entry.encode(into: &writer)
    }
    return writer.bytes
  }

  /// Writes down the disk's size in entries that left it out: from now on it can differ from the
  /// image's.
  mutating func completeDiskSizes(_ currentDiskSize: UInt64) {
    for index in entries.indices where entries[index].diskSize == nil {
      entries[index].diskSize = currentDiskSize
    }
  }

  /// Leaves out extra data beyond the limit, so that QEMU opens the image.
  mutating func dropExcessExtraData() {
    for index in entries.indices { entries[index].excessExtraByteCount = 0 }
  }

  /// An id that no entry has: one more than the largest decimal id, as QEMU counts.
  var nextID: String {
    let largest = entries.map { Self.leadingNumber($0.id) }.max() ?? 0
    guard largest == UInt64.max else { return String(largest + 1) }
    let taken = Set(entries.map(\.id))
    return (1...UInt64(entries.count + 1)).lazy.map(String.init).first {
      !taken.contains(Array($0.utf8))
    }
      ?? String(largest)
  }

  /// The number at the start of an id as C's `strtoul` reads it; 0 for none.
  private static func leadingNumber(_ id: [UInt8]) -> UInt64 {
    var value: UInt64 = 0
    for byte in id {
      guard (0x30...0x39).contains(byte) else { break }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      if overflow || carry { return UInt64.max }
      value = sum
    }
    return value
  }
}

extension SnapshotEntry {
  fileprivate init(
    decoding reader: inout ByteReader, index: Int, dropsExcessExtraData: Bool
  ) throws {
    l1TableOffset = HostOffset(try reader.read())
    l1Size = try reader.read()
    let idByteCount: UInt16 = try reader.read()
    let nameByteCount: UInt16 = try reader.read()
    dateSeconds = try reader.read()
    dateNanoseconds = try reader.read()
    vmClockNanoseconds = try reader.read()
    vmStateSize = UInt64(try reader.read(UInt32.self))
    let extraByteCount: UInt32 = try reader.read()
    excessExtraByteCount = max(0, Int(extraByteCount) - Limits.snapshotExtraDataByteCount)
    guard excessExtraByteCount == 0 || dropsExcessExtraData else {
      throw Qcow2Error.tooMuchExtraData(ofSnapshotEntry: index)
    }
    var extra = ByteReader(
      try reader.read(byteCount: Int(extraByteCount) - excessExtraByteCount))
    try reader.skip(byteCount: excessExtraByteCount)
    if extra.remaining >= 8 { vmStateSize = try extra.read() }
    diskSize = extra.remaining >= 8 ? try extra.read(UInt64.self) : nil
    icount = extra.remaining >= 8 ? try extra.read(UInt64.self) : nil
    // Fewer bytes than one of the known fields carry nothing.
    unknownExtraData = icount == nil ? [] : try extra.read(byteCount: extra.remaining)
    id = try reader.read(byteCount: Int(idByteCount))
    name = try reader.read(byteCount: Int(nameByteCount))
  }

  /// Checks the L1 table's size and place.
  func validate(_ geometry: ClusterGeometry) throws(Qcow2Error) {
    let id = String(decoding: self.id, as: UTF8.self)
    guard Int(l1Size) <= Limits.l1ByteCount / 8 else {
      throw .overLimit("Snapshot L1 table too large (snapshot id \(id))")
    }
    guard geometry.isAligned(l1TableOffset),
      l1TableOffset.bytes <= Limits.hostOffset - UInt64(l1Size) * 8
    else {
      throw .malformed(
        "Snapshot L1 table offset invalid (snapshot id \(id))", at: l1TableOffset.bytes)
    }
  }

  fileprivate func encode(into writer: inout ByteWriter) {
    writer.append(l1TableOffset.bytes)
    writer.append(l1Size)
    writer.append(UInt16(id.count))
    writer.append(UInt16(name.count))
    writer.append(dateSeconds)
    writer.append(dateNanoseconds)
    writer.append(vmClockNanoseconds)
    // Where the size does not fit, a program that reads only this field sees a disk-only snapshot.
    writer.append(UInt32(exactly: vmStateSize) ?? 0)
    var extra = ByteWriter()
    extra.append(vmStateSize)
    if let diskSize {
      extra.append(diskSize)
      extra.append(icount ?? Self.noInstructionCount)
      extra.append(unknownExtraData)
    }
    writer.append(UInt32(extra.bytes.count))
    writer.append(extra.bytes)
    writer.append(id)
    writer.append(name)
  }
}
