import DeviceState

/// Reads bytes as a QEVM stream, takes it apart and puts it together again.
struct StreamExercise {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func run() throws(Finding) {
    try receive(bytes)
    try receive(readForward())
    guard let contents = try? StreamContents(reading: BytesSource(bytes)) else { return }
    for device in contents.summary.devices {
      _ = contents.devices(named: device.name.name)
      for field in (try? contents.fields(of: device)) ?? [] { _ = field.value }
    }
    try require(
      (try? StreamComparison(from: contents, to: contents))?.isEmpty == true,
      "a stream differs from itself")
    try extract(contents.summary)
  }

  /// As from a socket: nothing behind the next byte is known.
  ///
  /// - Returns: the payload of dirty bitmaps.
  private func readForward() -> [UInt8] {
    var bitmaps: [UInt8] = []
    guard var reader = try? StreamReader(BytesSource(bytes, isSeekable: false)) else { return [] }
    while let part = (try? reader.next()) ?? nil {
      guard case .section(let header) = part, header.name == "dirty-bitmap" else { continue }
      let isPassed: Void? = try? reader.passPayload { run throws(StreamError) in
        run.withUnsafeBytes { bitmaps.append(contentsOf: $0) }
      }.map { _ in }
      if isPassed == nil { break }
    }
    return bitmaps
  }

  /// The devices by themselves are the same devices, once and twice; put back they give the stream again.
  private func extract(_ whole: StreamSummary) throws(Finding) {
    guard let devices = collect({ try DeviceStateFile.extract(from: BytesSource(bytes), to: $0) })
    else { return }
    guard let summary = try? StreamSummary(reading: BytesSource(devices)) else {
      throw Finding("the devices that were extracted cannot be read")
    }
    try require(
      summary.devices.map(\.header) == whole.devices.map(\.header)
        && summary.devices.map(\.payload.count) == whole.devices.map(\.payload.count),
      "other devices were extracted than the stream has")
    let again = collect { try DeviceStateFile.extract(from: BytesSource(devices), to: $0) }
    try require(again == devices, "extracting twice gives something else")
    guard
      let merged = collect({
        try DeviceStateFile.merge(BytesSource(devices), into: BytesSource(bytes), to: $0)
      })
    else { throw Finding("the devices that were extracted cannot be put back") }
    try require(merged == bytes, "putting the same devices back has changed the stream")
  }

  private func collect(_ write: (@escaping StreamOutput) throws -> Void) -> [UInt8]? {
    var output: [UInt8] = []
    let isDone: Void? = try? write { run throws(StreamError) in
      run.withUnsafeBytes { output.append(contentsOf: $0) }
    }
    return isDone.map { output }
  }

  /// The payload of dirty bitmaps, for a receiver with a disk, and sent on.
  private func receive(_ payload: [UInt8]) throws(Finding) {
    let text = String(decoding: payload.prefix(40), as: UTF8.self)
    _ = try? BlockBitmapMapping(shortForms: [text, "disk0/b0=a0/a1"])
    let disk = DirtyBitmapDestination.Disk(
      node: "disk0", size: 1 << 20, bitmapNames: [Array("b9".utf8)])
    let mappings = [nil, try? BlockBitmapMapping(shortForms: ["disk0/b0=a0/a1"])]
    for (mapping, unknown) in zip(mappings, [DirtyBitmapReceiver.UnknownAliases.refused, .ignored])
    {
      try receive(
        payload,
        DirtyBitmapReceiver(
          DirtyBitmapDestination(disks: [disk], mapping: mapping), unknownAliases: unknown))
    }
  }

  private func receive(_ payload: [UInt8], _ empty: DirtyBitmapReceiver) throws(Finding) {
    var receiver = empty
    var parser = DirtyBitmapChunkParser()
    for start in stride(from: 0, to: payload.count, by: 100) {
      parser.append(Array(payload[start..<min(start + 100, payload.count)]))
      while let chunk = (try? parser.next()) ?? nil {
        var copy = DirtyBitmapChunkParser()
        copy.append(chunk.encoded)
        try require((try? copy.next()) == chunk, "a chunk is read as another once it is written")
        guard (try? receiver.take(chunk)) != nil else { return }
      }
    }
    for bitmap in (try? receiver.finish()) ?? [] { send(bitmap) }
  }

  private func send(_ received: ReceivedBitmap) {
    guard
      let bitmap = try? DirtyBitmapSender.Bitmap(
        nodeAlias: received.node, alias: received.name, granularity: received.granularity,
        diskSize: received.diskSize, flags: [.persistent])
    else { return }
    var sender = DirtyBitmapSender()
    _ = sender.announce(bitmap).encoded
    try? sender.sendBits(
      of: bitmap,
      read: { range in
        received.runs.first { $0.byteOffset == range.lowerBound && $0.bytes.count == range.count }?
          .bytes
      },
      send: { chunk, _ in _ = chunk.encoded })
    _ = sender.complete(bitmap).encoded
  }
}
