internal import DeviceState
private import FoundationEssentials
public import Jobs
internal import Qcow2

/// Writes the device state of a machine that is off, or of a snapshot, into a file.
public struct DeviceStateSaving: JobWork {
  private let request: DeviceStateRequest
  private let machine: Machine
  private let access: ImageAccess

  /// Makes the work of one job; nothing is opened yet.
  public init(_ request: DeviceStateRequest, machine: Machine, access: ImageAccess) {
    self.request = request
    self.machine = machine
    self.access = access
  }

  /// Reads the state to its last byte and writes the file, all but its name.
  ///
  /// - Throws: `JobError`; no file is left.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    let name = request.tag.map { "snapshot '\($0)'" } ?? "the machine's state"
    do {
      guard let tag = request.tag else { return try savePresent(control) }
      // A snapshot can be read while a machine runs; if it changes meanwhile, once more from the start.
      let node = try machine.nodeKeepingState(of: tag)
      return try Image.look(at: node.path, access: access.files) { image in
        guard let position = try image.position(ofTag: tag, on: node) else {
          throw JobError(.notFound, "\(node.name): the snapshot '\(tag)' has gone")
        }
        return try write(StateStream(try VMStateReader(image, snapshot: position)), control)
      }
    } catch {
      throw JobError(error, of: name, while: "saving")
    }
  }

  /// Makes the file from one that a running machine has written.
  ///
  /// - Parameters:
  ///   - path: the machine's own file.
  ///   - control: of the job.
  /// - Returns: the file, all but its name.
  /// - Throws: `JobError`, also if what the machine has written is no such file.
  public func prepare(fromFile path: String, _ control: JobControl) throws -> any PreparedWork {
    do {
      return try Self.write(StateStream(try StateFile(opening: path)), as: request, control)
    } catch {
      throw JobError(error, of: path, while: "saving")
    }
  }

  /// A name that nobody uses, beside a file where that is a directory for files, for what a running machine writes.
  public static func hiddenPath(beside path: String) -> String {
    NewFile.hiddenPath(
      beside: SpecialFile.isSpecial(path) ? "/var/tmp/state" : NewFile.target(of: path))
  }

  private func savePresent(_ control: JobControl) throws -> PreparedFile {
    let images = try OpenImages(
      machine.stateNodes, for: .read, access: access, control: control)
    defer { images.unlock() }
    let source = try PresentState(images.members, log: access.log).usableSource()
    return try write(StateStream(try source.open(images)), control)
  }

  /// Writes what the request wants of a state.
  private func write(_ state: StateStream, _ control: JobControl) throws -> PreparedFile {
    try Self.write(state, as: request, control)
  }

  /// Writes what a request wants of a state into a file that has no name yet.
  ///
  /// - Parameters:
  ///   - state: a whole stream, or one of devices only.
  ///   - request: to save.
  ///   - control: of the job.
  /// - Returns: the file.
  /// - Throws: `JobError` or `StreamError`; no file is left.
  static func write(
    _ state: StateStream, as request: DeviceStateRequest, _ control: JobControl
  ) throws -> PreparedFile {
    let meter = StateMeter(control, foreseeing: state.byteCount ?? 0)
    let path = request.filename
    let file: any StateOutput =
      SpecialFile.isSpecial(path)
      ? try SpecialFile(path, control) : try NewFile(for: NewFile.target(of: path))
    let output: StreamOutput = { bytes throws(StreamError) in
      do throws(JobError) { try file.write(bytes) } catch { throw .output(error) }
    }
    let source = StateProgress(state, meter)
    let byteCount: UInt64
    if request.withRAM {
      var reader = try StreamReader(source)
      let writer = StreamWriter(to: output)
      try writer.begin()
      while let part = try reader.next() { try writer.copy(part, from: &reader) }
      try writer.finish()
      byteCount = writer.byteCount
    } else {
      byteCount = try DeviceStateFile.extract(
        from: source, withFooters: request.hasFooters, to: output)
    }
    try file.synchronize()
    meter.finish()
    return PreparedFile(file, byteCount: byteCount, remarks: [])
  }
}

/// A file that is written and has no name yet.
struct PreparedFile: PreparedWork {
  private let file: any StateOutput
  private let byteCount: UInt64
  private let remarks: [String]

  init(_ file: any StateOutput, byteCount: UInt64, remarks: [String]) {
    self.file = file
    self.byteCount = byteCount
    self.remarks = remarks
  }

  /// Gives the file its name: the commit of a job without images.
  func publish() throws(JobError) { try file.publish() }

  func undo() throws {}

  func finish() throws -> String? {
    let result = SnapshotResult(
      bytesWritten: Int64(clamping: byteCount), bytesFreed: 0, remarks: remarks)
    return String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
  }

  func abandon() {}
}
