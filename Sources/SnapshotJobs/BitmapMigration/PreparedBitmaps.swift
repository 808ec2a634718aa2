internal import DeviceState
internal import Jobs

/// Images with received bitmaps between prepare and the end, and the sender who waits for word of it.
struct PreparedBitmaps: PreparedWork, PreparedOnImages {
  let images: PreparedSnapshots
  let channel: PatientChannel
  let isAnswerExpected: Bool

  func undo() throws {
    Self.refuse(through: channel, isAnswerExpected: isAnswerExpected)
    try images.undo()
  }

  func finish() throws -> String? {
    let result = Result { try images.finish() }
    Self.answer(through: channel, isDone: true, isAnswerExpected: isAnswerExpected)
    return try result.get()
  }

  func abandon() {
    images.abandon()
    channel.channel.close()
  }

  /// Tells the sender that nothing was taken, and lets go of it.
  static func refuse(through channel: PatientChannel, isAnswerExpected: Bool) {
    answer(through: channel, isDone: false, isAnswerExpected: isAnswerExpected)
  }

  /// A sender that does not listen any more learns nothing: that is no failure here.
  private static func answer(
    through channel: PatientChannel, isDone: Bool, isAnswerExpected: Bool
  ) {
    defer { channel.channel.close() }
    guard isAnswerExpected else { return }
    _ = try? ReturnPath.end(isDone: isDone).withUnsafeBytes { bytes in
      try channel.channel.write(bytes, within: PatientChannel.slice)
    }
    try? channel.channel.finishWriting()
  }
}
