/// Which bytes of an image file are locked, and looked at, to use the image in one way.
///
/// QEMU's programs keep out of each other's way by shared locks of one byte each (`file-posix.c`):
///
///     byte   100     101   102              103      201             203
///            reads   writes                 resizes  no other writes no other resizes
///
/// 100 and the permission's bit say "I do this", 200 and the bit say "nobody else may". After taking
/// its own, each looks for the opposite byte of somebody else.
struct LockBytes: Equatable {
  /// QEMU's permissions, with their bit (`BLK_PERM_*`).
  enum Permission: Int64, CaseIterable {
    case consistentRead = 0
    case write = 1
    case writeUnchanged = 2
    case resize = 3

    /// The name in QEMU's messages.
    var name: String {
      switch self {
      case .consistentRead: "consistent read"
      case .write: "write"
      case .writeUnchanged: "write unchanged"
      case .resize: "resize"
      }
    }

    /// Locked by who does this.
    var useByte: Int64 { 100 + rawValue }
    /// Locked by who does not let others do this.
    var refusalByte: Int64 { 200 + rawValue }
  }

  /// A byte to look at, and what it means if somebody holds it.
  struct Check: Equatable {
    let byte: Int64
    /// QEMU's words.
    let reason: String
  }

  /// What is done.
  let used: [Permission]
  /// What nobody else may do.
  let refused: [Permission]

  /// The bytes to hold.
  var held: [Int64] { used.map(\.useByte) + refused.map(\.refusalByte) }

  /// The bytes that nobody else may hold, in QEMU's order.
  var checks: [Check] {
    used.map { Check(byte: $0.refusalByte, reason: "Failed to get \"\($0.name)\" lock") }
      + refused.map { Check(byte: $0.useByte, reason: "Failed to get shared \"\($0.name)\" lock") }
  }

  init(_ mode: ImageLock.Mode) {
    used = mode == .write ? [.consistentRead, .write, .resize] : [.consistentRead]
    refused = mode == .peek ? [] : [.write, .resize]
  }
}
