/// One entry of the snapshot table, as far as users see it.
public struct Snapshot: Sendable, Hashable {
  /// Unique within the image; usually a decimal number.
  public let id: String
  /// The tag, for people: bytes that are not UTF-8 are replaced.
  public let name: String
  /// The tag as it is on disk.
  public let nameBytes: [UInt8]
  /// Seconds since the epoch.
  public let dateSeconds: UInt32
  /// Nanoseconds of the date.
  public let dateNanoseconds: UInt32
  /// The guest's clock in nanoseconds.
  public let vmClockNanoseconds: UInt64
  /// Bytes of VM state; 0 for a disk-only snapshot.
  public let vmStateSize: UInt64
  /// The disk's size in the snapshot, in bytes.
  public let diskSize: UInt64
  /// Instruction count under record and replay; nil if there is none.
  public let icount: UInt64?

  /// Whether the tag is this one, byte for byte: two spellings of one letter are two tags.
  public func isCalled(_ tag: String) -> Bool { nameBytes.elementsEqual(tag.utf8) }
}
