internal import DeviceState
public import Jobs
internal import Qcow2

/// The receiving side of a transfer: a job that adds the bitmaps of a stream to the machine's images, all of
/// them under one commit, or none.
public struct BitmapReceiving: JobWork {
  private let request: BitmapTransferRequest
  private let machine: Machine
  private let access: ImageAccess
  private let open: BitmapTransferChannel
  private let onStage: @Sendable (BitmapTransferStage) -> Void

  /// Makes the work of one job; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - request: what to receive.
  ///   - machine: whose images get the bitmaps.
  ///   - access: commit records, files and patience.
  ///   - open: makes the channel; waits for the sender.
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

  /// Waits for the sender, receives everything, and prepares each image for its new first sector.
  ///
  /// - Throws: `JobError`; every image is as it was then, and the sender is told that it has failed.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    let destination = try destination(control)
    let channel = PatientChannel(
      channel: try open(control), control: control, patience: request.patience, peer: request.peer)
    onStage(.connected)
    var stream = IncomingStream(channel, to: destination, request)
    do {
      let content = try stream.read()
      let images = try prepare(content, control)
      return PreparedBitmaps(
        images: images, channel: channel, isAnswerExpected: stream.isAnswerExpected)
    } catch {
      PreparedBitmaps.refuse(through: channel, isAnswerExpected: stream.isAnswerExpected)
      let failure = failure(error)
      if (error as? StreamError)?.code == .truncated { try request.awaitCause(control) }
      throw failure
    }
  }

  // MARK: Before anybody has connected

  /// What the machine has; what could not be changed anyway is refused before anything is received.
  private func destination(_ control: JobControl) throws -> DirtyBitmapDestination {
    try checkTransforms()
    var disks: [DirtyBitmapDestination.Disk] = []
    for node in request.nodes(of: machine) {
      if request.mapping != nil {
        guard !node.isReadOnly else {
          throw JobError(.refused, "Node '\(node.name)' is read-only; no bitmap can be added to it")
        }
        try OpenImages([node], for: .change, access: access, control: control).unlock()
      }
      disks.append(
        try node.look { image in
          DirtyBitmapDestination.Disk(
            node: node.name.description, size: image.virtualSize,
            bitmapNames: Set(image.bitmaps.map(\.nameBytes)))
        })
    }
    for node in request.mapping?.nodes ?? [] where machine.node(node.name) == nil {
      throw JobError(
        .notFound,
        "Cannot find device='\(node.name)' nor node-name='\(node.name)', which the mapping names. "
          + machine.nodesAdvice)
    }
    return DirtyBitmapDestination(disks: disks, mapping: request.mapping)
  }

  /// A machine of files has no memory to keep bitmaps in.
  private func checkTransforms() throws(JobError) {
    for node in request.mapping?.nodes ?? [] {
      for bitmap in node.bitmaps where bitmap.transform?.persistent == false {
        throw JobError(
          .usage,
          "Bitmap '\(bitmap.name)' of node '\(node.name)' would not be persistent (transform), and there "
            + "is no running machine that could keep it. Leave the transform out, or set it to true"
        )
      }
    }
  }

  // MARK: Afterwards

  private func prepare(
    _ content: IncomingStream.Content, _ control: JobControl
  ) throws -> PreparedSnapshots {
    let names = Set(content.bitmaps.map(\.node))
    let nodes = machine.nodes.filter { names.contains($0.name.description) }
    for node in nodes where node.isReadOnly {
      throw JobError(.refused, "Node '\(node.name)' is read-only; no bitmap can be added to it")
    }
    let images = try OpenImages(nodes, for: .change, access: access, control: control)
    do {
      var drafts: [ImageDraft] = []
      var added: [TransferredBitmap] = []
      for member in images.members {
        drafts.append(try draft(of: member, content.bitmaps, &added))
      }
      let prepared = try DraftPreparation(access: access, control: control).prepare(
        drafts, of: images.members)
      return PreparedSnapshots(
        prepared, locked: images, added: added, remarks: remarks(on: content))
    } catch {
      images.unlock()
      throw error
    }
  }

  private func draft(
    of member: OpenImages.Member, _ bitmaps: [ReceivedBitmap], _ added: inout [TransferredBitmap]
  ) throws(JobError) -> ImageDraft {
    let node = member.node.name.description
    do throws(Qcow2Error) {
      var draft = try ImageDraft(member.image)
      for bitmap in bitmaps where bitmap.node == node {
        var content = try BitmapContent(
          size: bitmap.diskSize, granularityBits: bitmap.granularity.trailingZeroBitCount)
        for run in bitmap.runs { try content.replace(run.bytes, at: Int(run.byteOffset)) }
        try draft.bitmaps.add(bitmap.name, isEnabled: bitmap.isEnabled, content: content)
        added.append(
          TransferredBitmap(
            node: node, name: bitmap.name, granularity: content.granularity,
            dirtyByteCount: content.dirtyByteCount))
      }
      return draft
    } catch {
      throw JobError(error, node: node)
    }
  }

  private func remarks(on content: IncomingStream.Content) -> [String] {
    var remarks = content.ignored.map { "Not received: \($0)" }
    for bitmap in content.bitmaps where !bitmap.isPersistent {
      remarks.append(
        "Bitmap '\(bitmap.name)' of node '\(bitmap.node)' was not persistent on the other side; here it is"
      )
    }
    if content.bitmaps.isEmpty {
      remarks.append(
        "No bitmap was received"
          + (request.isWithinProcess
            ? "" : ": the stream has none. A QEMU that sends needs the capability dirty-bitmaps"))
    }
    return remarks
  }

  /// What the job ends with, and what became of the images.
  private func failure(_ error: any Error) -> JobError {
    var failure = (error as? StreamError).map { JobError($0) } ?? JobError(wrapping: error)
    guard let stream = error as? StreamError, stream.cause == nil else { return failure }
    var text = failure.message
    switch stream.code {
    case .truncated where request.isFromSocket:
      failure = JobError(.connection, text)
      text = "\(request.peer): the other side has closed the connection too early: \(text)"
    case .notFound: text += ". To take the other bitmaps: --ignore-unknown (x-ignore-unknown)"
    default: break
    }
    return JobError(failure.kind, "\(text). No bitmap was received; every disk is as it was")
  }
}
