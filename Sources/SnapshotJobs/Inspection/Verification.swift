internal import DeviceState
public import Jobs
public import Qcow2

/// Verifies an image: reads every state to its end, and compares the active one with a second reader.
public struct Verification {
  private let image: Image
  private var isEncrypted = false
  private var report: VerifyReport
  private let progress: InspectionProgress

  /// Verifies an image.
  ///
  /// - Parameters:
  ///   - path: the image; it is locked for reading meanwhile.
  ///   - tag: only the snapshots of this name, without the active state; nil for all states.
  ///   - second: the other reader. It is given sound images only; those that it refuses are reported
  ///     as such.
  ///   - withDigests: whether the SHA-256 of each state is worked out: that takes as long as the disk is large,
  ///     however little is in the file.
  ///   - progress: told what is done.
  ///   - files: where the image file comes from.
  ///   - patience: how long to wait while another program holds the image.
  ///   - onWait: told once, while waiting, who holds it.
  /// - Returns: what was found; damage is in the report.
  /// - Throws: `JobError` if the image cannot be opened, or has no snapshot of that name.
  public static func run(
    path: String, tag: String? = nil, second: any SecondReader, withDigests: Bool = true,
    progress: InspectionProgress = InspectionProgress(),
    files: any FileAccess = PosixFileAccess(),
    patience: Duration = .zero, onWait: (String) -> Void = { _ in }
  ) throws(JobError) -> VerifyReport {
    do {
      let image = try Image.open(
        path, for: .read, access: files, patience: patience, onWait: onWait)
      var verification = Verification(
        image: image, report: VerifyReport(path: path), progress: progress)
      try verification.readStates(tag: tag, withDigests: withDigests)
      if tag == nil {
        try verification.compare(with: second)
      } else {
        verification.report.secondReaderProblem = "it does not read snapshots"
      }
      return verification.report
    } catch {
      throw JobError(wrapping: error)
    }
  }

  /// Reads the states through our own reader.
  ///
  /// A cluster that one state uses twice ends it: what is behind it would be read for nothing.
  private mutating func readStates(tag: String?, withDigests: Bool) throws {
    let snapshots = image.snapshots
    var positions: [Int?] = snapshots.indices.filter { position in
      tag.map { snapshots[position].isCalled($0) } ?? true
    }
    if let tag, positions.isEmpty {
      throw JobError(
        .notFound,
        "\(image.path): no snapshot is called '\(tag)'; those there are: "
          + "\(NextStep(["list", "--file", image.path]))")
    }
    if tag == nil { positions.insert(nil, at: 0) }
    progress.foresee(image.fileByteCount)
    if withDigests { positions.forEach { progress.foresee(Int64(clamping: size(of: $0))) } }
    var verification = try ImageVerification(
      image, withDigests: withDigests, progress.advance)
    report.structureProblems = verification.structureProblems
    isEncrypted = verification.isEncrypted
    report.backingFileName = verification.backingFileName
    for position in positions {
      let content = try verification.readState(snapshot: position)
      let snapshot = position.map { snapshots[$0] }
      report.states.append(
        VerifyReport.State(
          tag: snapshot?.name, id: snapshot?.id, content: content,
          deviceStateProblem: content.problemCount > 0
            ? nil : try position.flatMap { try deviceStateProblem(snapshot: $0) }))
      if content.usesClustersTwice { return }
    }
  }

  /// Bytes of a state's disk.
  private func size(of position: Int?) -> UInt64 {
    position.map { image.snapshots[$0].diskSize } ?? image.virtualSize
  }

  /// What is wrong with the stream that a snapshot keeps as its device state; nil if nothing is, or it has
  /// none that can be read.
  private func deviceStateProblem(snapshot position: Int) throws -> String? {
    guard image.snapshots[position].vmStateSize > 0, !isEncrypted else { return nil }
    do {
      let state = try VMStateReader(image, snapshot: position)
      _ = try StreamSummary(reading: StateStream(state))
      return nil
    } catch let error as StreamError {
      return error.description
    } catch let error as Qcow2Error {
      return error.message
    }
  }

  /// Compares the active state with what the second reader makes of it, if it can look at it.
  private mutating func compare(with second: any SecondReader) throws {
    guard report.isReadable else {
      leaveOut("the image is damaged, and it is given sound images only")
      return
    }
    guard !isEncrypted else {
      leaveOut("the content is encrypted")
      return
    }
    let theirs: any SecondReaderImage
    do throws(JobError) {
      theirs = try second.open(path: image.path)
    } catch {
      leaveOut(error.message)
      return
    }
    var comparison = ReaderComparison(
      try GuestReader(image), ofFile: image.fileByteCount, theirs, name: second.name)
    progress.foresee(image.fileByteCount)
    try comparison.run(progress.advance)
    report.bytesEqual = comparison.bytesEqual
    report.differences = comparison.differences
    report.leftOut = comparison.leftOut
  }

  /// Counts all clusters of the disk as not compared.
  private mutating func leaveOut(_ reason: String) {
    report.secondReaderProblem = reason
    let clusterSize = UInt64(image.clusterSize)
    let whole = image.virtualSize / clusterSize
    report.leftOut["all, as the second reader does not read this image"] =
      whole + (image.virtualSize % clusterSize == 0 ? 0 : 1)
  }
}
