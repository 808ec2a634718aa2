internal import DeviceState
internal import Jobs

/// Reads a migration stream to its last byte, and takes the dirty bitmaps out of it.
///
/// RAM and devices are passed over. The answers that a sender asks for are given.
struct IncomingStream {
  let channel: PatientChannel
  let destination: DirtyBitmapDestination
  let request: BitmapTransferRequest
  /// Whether the sender waits for an answer; asked for by the stream itself.
  private(set) var isAnswerExpected = false

  /// What was received.
  struct Content {
    let bitmaps: [ReceivedBitmap]
    /// Why bitmaps were passed over.
    let ignored: [String]
  }

  init(
    _ channel: PatientChannel, to destination: DirtyBitmapDestination,
    _ request: BitmapTransferRequest
  ) {
    self.channel = channel
    self.destination = destination
    self.request = request
  }

  /// Reads everything.
  ///
  /// - Throws: `StreamError` or `JobError`.
  mutating func read() throws -> Content {
    var reader = try StreamReader(ChannelSource(channel: channel))
    var parser = DirtyBitmapChunkParser()
    var receiver = DirtyBitmapReceiver(
      destination, unknownAliases: request.ignoresUnknown ? .ignored : .refused)
    let control = channel.control
    while let part = try reader.next() {
      switch part {
      case .configuration(let configuration):
        try UUIDText.check(configuration, is: request.uuid)
      case .command(let command): try obey(command)
      case .section(let section) where section.name == "dirty-bitmap":
        let before = (receiver.announcedByteCount, receiver.receivedByteCount)
        var counted = before
        try reader.passPayload { bytes throws(StreamError) in
          parser.append(bytes.withUnsafeBytes { Array($0) })
          while let chunk = try parser.next() { try receiver.take(chunk) }
          try Self.count(receiver, from: &counted, control)
        }
      case .description:
        try reader.passPayload()
        // Nothing follows; a sender that waits for an answer does not close its side before.
        if isAnswerExpected { return try content(receiver) }
      case .section, .endOfSections: break
      }
    }
    return try content(receiver)
  }

  private func content(_ receiver: DirtyBitmapReceiver) throws(StreamError) -> Content {
    Content(bitmaps: try receiver.finish(), ignored: receiver.ignored)
  }

  /// Tells the job's progress.
  private static func count(
    _ receiver: DirtyBitmapReceiver, from old: inout (UInt64, UInt64), _ control: JobControl
  ) throws(StreamError) {
    control.foresee(Int64(clamping: receiver.announcedByteCount - old.0))
    let received = receiver.receivedByteCount - old.1
    old = (receiver.announcedByteCount, receiver.receivedByteCount)
    do throws(JobError) {
      try control.advance(Int64(clamping: received))
    } catch {
      throw .output(error)
    }
  }

  private mutating func obey(_ command: StreamCommand) throws {
    switch command.name {
    case .openReturnPath: isAnswerExpected = channel.channel.isTwoWay
    case .ping:
      if isAnswerExpected { try channel.write(ReturnPath.answer(toPing: command.data)) }
    case .postcopyAdvise, .switchoverStart, .postcopyRAMDiscard: break
    case .postcopyListen, .postcopyRun, .packaged, .enableCOLO, .postcopyResume, .receiveBitmap:
      throw JobError(
        .refused,
        "The stream is of a migration that goes on after the machine has changed sides (postcopy, COLO), "
          + "which has no end here. Migrate without")
    }
  }
}
