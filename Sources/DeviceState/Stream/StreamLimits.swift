/// What is refused for its size, so that no stream costs more than some megabytes of memory.
public enum StreamLimits {
  /// Bytes of RAM of a machine: the 52 bits of an x86 physical address.
  public static let ramByteCount: UInt64 = 1 << 52
  /// RAM blocks of a machine.
  public static let ramBlockCount = 1 << 16
  /// Sections that are announced, each once: a large machine has some thousands.
  public static let sectionCount = 1 << 16
  /// Bytes of the configuration's machine type.
  public static let machineTypeByteCount = 1024
  /// Names in the configuration's list of capabilities; QEMU has some dozens.
  public static let capabilityCount = 256
  /// Bytes of a packaged part of a postcopy stream (`MAX_VM_CMD_PACKAGED_SIZE` of
  /// migration/savevm.c).
  public static let packageByteCount = 1 << 24
  /// Bytes of one chunk of a dirty bitmap (`DIRTY_BITMAP_MIG_BUF_SIZE` times ten, as
  /// migration/block-dirty-bitmap.c checks it).
  public static let bitmapChunkByteCount: UInt64 = 10240
  /// Bytes of the JSON text that describes the devices; a machine with 288 CPUs has less than 4 MiB.
  public static let descriptionByteCount = 1 << 24
  /// Objects in that text: devices, fields, structs and subsections.
  public static let descriptionObjectCount = 1 << 17
  /// Open braces and brackets at any place of that text; QEMU's own devices nest 20 deep.
  public static let descriptionDepth = 128
  /// Bytes of a device's state whose fields are told, or compared one by one.
  public static let decodedByteCount: UInt64 = 1 << 23
  /// Fields of one device's state, each of an array of structs counted.
  public static let decodedFieldCount = 1 << 17
  /// Bytes of the paths to these fields together; those of QEMU's devices have less than 100 each.
  public static let decodedPathByteCount = 1 << 24
  /// Places in a stream without a description that look like the end of a section.
  public static let footerCandidateCount = 1 << 16
  /// Bytes of all devices' states together that are taken out of a stream. A display may keep its pictures there, of
  /// 33 MB each for 4K.
  public static let devicesByteCount = 1 << 28
}
