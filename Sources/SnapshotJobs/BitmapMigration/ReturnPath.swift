internal import Jobs

/// What a receiver tells its sender (`MIG_RP_MSG_*` of migration/migration.h): a message is a type u16, a
/// length u16, and data.
///
/// The sender asks for it by the command `OPEN_RETURN_PATH`; the last message says how the receiving ended.
enum ReturnPath {
  private static let shut: UInt16 = 1
  private static let pong: UInt16 = 2
  /// The longest message that is read; QEMU's longest that is for us has 4 bytes.
  private static let maximumByteCount: UInt16 = 512

  /// The message that the receiving has ended.
  static func end(isDone: Bool) -> [UInt8] { message(shut, isDone ? 0 : 1) }

  /// The answer to a ping.
  ///
  /// - Parameter data: what the ping had.
  /// - Returns: the message.
  static func answer(toPing data: [UInt8]) -> [UInt8] {
    message(pong, data.prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
  }

  private static func message(_ type: UInt16, _ value: UInt32) -> [UInt8] {
    [UInt8(type >> 8), UInt8(type & 0xff), 0, 4]
      + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// Waits until the receiver says that it is done.
  ///
  /// - Throws: `JobError`: it says that it has failed, or goes without a word.
  static func awaitEnd(_ channel: PatientChannel) throws(JobError) {
    while true {
      let type = try word(channel)
      let count = try word(channel)
      guard count <= maximumByteCount else {
        throw JobError(
          .refused, "\(channel.peer): what the receiver answers is no migration's answer")
      }
      let data = try bytes(Int(count), channel)
      guard type == shut else { continue }
      guard data.allSatisfy({ $0 == 0 }) else {
        throw JobError(
          .general,
          "\(channel.peer): the receiver has not taken the bitmaps; it says why on its side. They are as "
            + "they were here, too")
      }
      return
    }
  }

  private static func word(_ channel: PatientChannel) throws(JobError) -> UInt16 {
    try bytes(2, channel).reduce(0) { $0 << 8 | UInt16($1) }
  }

  private static func bytes(_ count: Int, _ channel: PatientChannel) throws(JobError) -> [UInt8] {
    let bytes = try channel.read(byteCount: count)
    guard bytes.count == count else {
      throw JobError(
        .connection,
        "\(channel.peer): the receiver has gone before it has confirmed: it has refused the stream, and "
          + "says why on its side. The bitmaps are as they were here")
    }
    return bytes
  }
}
