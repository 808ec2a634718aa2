internal import DeviceState
import FileNames
private import FoundationEssentials
public import Jobs
internal import Qcow2

/// The sending side of a transfer: a job that only reads.
///
/// The stream is that of a migration with nothing but dirty bitmaps in it. A receiving QEMU keeps the devices
/// that it has.
///
/// ```
/// QEVM 3 · configuration · [open return path] · START dirty-bitmap: all announcements
///                                             · END dirty-bitmap: all bits, all ends · 00 · description
/// ```
public struct BitmapSending: JobWork {
  private let request: BitmapTransferRequest
  private let machine: Machine
  private let access: ImageAccess
  private let open: BitmapTransferChannel
  private let onStage: @Sendable (BitmapTransferStage) -> Void

  /// Makes the work of one job; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - request: what to send.
  ///   - machine: whose bitmaps.
  ///   - access: files and patience.
  ///   - open: makes the channel.
  ///   - onStage: is told how far it is.
  public init(
    _ request: BitmapTransferRequest, machine: Machine, access: ImageAccess,
    open: @escaping BitmapTransferChannel,
    onStage: @escaping @Sendable (BitmapTransferStage) -> Void
  ) {
    self.request = request
    self.machine = machine
    self.access = access
    self.open = open
    self.onStage = onStage
  }

  /// Sends everything, and waits for the receiver's word that it has it.
  ///
  /// - Throws: `JobError`; the bitmaps are as they were in any case.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    let nodes = request.nodes(of: machine)
    let images = try OpenImages(nodes, for: .read, access: access, control: control)
    defer { images.unlock() }
    let bitmaps = try OutgoingBitmap.choose(images.members, request.mapping)
    let channel = PatientChannel(
      channel: try open(control), control: control, patience: request.patience, peer: request.peer)
    defer { channel.channel.close() }
    onStage(.connected)
    do {
      let dirtyByteCounts = try send(bitmaps, through: channel)
      try channel.channel.finishWriting()
      if expectsAnswer(channel) { try ReturnPath.awaitEnd(channel) }
      return SentBitmaps(result: result(bitmaps, dirtyByteCounts))
    } catch let error as StreamError {
      if error.code == .output { try request.awaitCause(control) }
      throw JobError(error)
    }
  }

  private func expectsAnswer(_ channel: PatientChannel) -> Bool {
    channel.channel.isTwoWay && !request.isWithinProcess
  }

  /// Sends the stream.
  ///
  /// - Returns: the dirty bytes of each bitmap.
  private func send(
    _ bitmaps: [OutgoingBitmap], through channel: PatientChannel
  ) throws -> [UInt64] {
    let writer = StreamWriter(to: channel.output)
    try writer.begin()
    try writer.write(
      Configuration(
        machineType: request.machineType,
        subsections: try request.uuid.map { [.uuid(try UUIDText.bytes(of: $0))] } ?? []))
    if expectsAnswer(channel) { try writer.write(StreamCommand(.openReturnPath)) }
    var sender = DirtyBitmapSender()
    for bitmap in bitmaps { channel.control.foresee(Int64(clamping: bitmap.wire.contentByteCount)) }
    if !bitmaps.isEmpty {
      try section(.start, to: writer) {
        for bitmap in bitmaps { try $0(sender.announce(bitmap.wire)) }
      }
    }
    if request.pausesBeforeSwitchover {
      try writer.finish()
      onStage(.pausedBeforeSwitchover)
      try channel.control.becomeReady()
      try channel.control.awaitCompletion()
      onStage(.switchover)
    }
    var dirtyByteCounts: [UInt64] = []
    if !bitmaps.isEmpty {
      try section(.end, to: writer) { write in
        for bitmap in bitmaps {
          dirtyByteCounts.append(
            try sendBits(of: bitmap, by: &sender, to: write, channel.control))
        }
        for bitmap in bitmaps { try write(sender.complete(bitmap.wire)) }
      }
    }
    try writer.endSections()
    try writer.beginDescription(byteCount: Self.description.count)
    try writer.write(Self.description)
    try writer.finish()
    return dirtyByteCounts
  }

  /// There are no devices to describe; the page size is that of x86.
  private static let description = Array(#"{"page_size": 4096, "devices": []}"#.utf8)

  private func section(
    _ kind: SectionHeader.Kind, to writer: StreamWriter,
    _ body: ((DirtyBitmapChunk) throws -> Void) throws -> Void
  ) throws {
    try writer.beginSection(
      SectionHeader(kind, id: 1, name: "dirty-bitmap", instance: 0, version: 1))
    try body { try writer.write($0.encoded) }
    try writer.write(DirtyBitmapChunk.end.encoded)
    try writer.endSection(withFooter: true)
  }

  /// Sends the bits of one bitmap; returns the bytes of the disk that are dirty.
  private func sendBits(
    of bitmap: OutgoingBitmap, by sender: inout DirtyBitmapSender,
    to write: (DirtyBitmapChunk) throws -> Void, _ control: JobControl
  ) throws -> UInt64 {
    do {
      let content = try bitmap.image.bitmapContent(named: bitmap.name)
      try sender.sendBits(
        of: bitmap.wire,
        read: { range in
          let range = Int(range.lowerBound)..<Int(range.upperBound)
          return content.isClean(serialised: range) ? nil : content.serialised(range)
        },
        send: { chunk, byteCount in
          try write(chunk)
          try control.advance(Int64(byteCount))
        })
      return content.dirtyByteCount
    } catch let error as Qcow2Error {
      throw JobError(error, node: bitmap.node)
    }
  }

  private func result(
    _ bitmaps: [OutgoingBitmap], _ dirtyByteCounts: [UInt64]
  ) -> SnapshotResult {
    var result = SnapshotResult(bytesWritten: 0, bytesFreed: 0, changedNodes: [])
    result.bitmaps = zip(bitmaps, dirtyByteCounts).map { bitmap, dirtyByteCount in
      TransferredBitmap(
        node: bitmap.node, name: bitmap.name, granularity: UInt64(bitmap.wire.granularity),
        dirtyByteCount: dirtyByteCount)
    }
    for node in request.mapping?.nodes ?? [] {
      for bitmap in node.bitmaps
      where !bitmaps.contains(where: {
        $0.node == node.name && $0.name.hasSameBytes(as: bitmap.name)
      }) {
        result.remarks.append(
          "The mapping names bitmap '\(bitmap.name)' of node '\(node.name)', which does not exist; it was "
            + "not sent")
      }
    }
    if bitmaps.isEmpty { result.remarks.append("There was no bitmap to send") }
    return result
  }
}

/// What was sent is sent: there is nothing to commit or to undo.
struct SentBitmaps: PreparedWork {
  let result: SnapshotResult

  func undo() throws {}
  func finish() throws -> String? {
    String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
  }
  func abandon() {}
}
