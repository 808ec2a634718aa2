/// The byte that each part of a stream begins with (`QEMU_VM_*` of migration/savevm.h).
enum SectionType: UInt8, Sendable {
  case endOfFile = 0x00
  case start = 0x01
  case part = 0x02
  case end = 0x03
  case full = 0x04
  /// Only inside of a device's state and of the configuration.
  case subsection = 0x05
  case description = 0x06
  case configuration = 0x07
  case command = 0x08
  /// Only behind a section's payload.
  case footer = 0x7E
}
