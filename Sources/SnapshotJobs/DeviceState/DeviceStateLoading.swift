internal import DeviceState
public import Jobs
internal import Qcow2

/// Gives a machine that is off the device state of a file: it waits beside the catalog until the next save
/// puts it into a snapshot.
///
/// The images are marked under one commit record, in which the state is noted; nothing else changes in them. So
/// it is known whether somebody has written to them before the save.
public struct DeviceStateLoading: JobWork {
  private let request: DeviceStateRequest
  private let machine: Machine
  private let access: ImageAccess

  /// Makes the work of one job; nothing is opened yet.
  public init(_ request: DeviceStateRequest, machine: Machine, access: ImageAccess) {
    self.request = request
    self.machine = machine
    self.access = access
  }

  /// Reads the file to its last byte, stores the state, and marks the images.
  ///
  /// - Throws: `JobError`; the machine has the state of before.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    do {
      let file = try StateFile.named(request.filename, access: access.files)
      let meter = StateMeter(control, foreseeing: file.byteCount)
      let summary = try StreamSummary(reading: StateProgress(StateStream(file), meter))
      meter.finish()
      guard summary.isDevicesOnly || summary.ram != nil else {
        throw JobError(
          .refused,
          "\(request.filename): it has no RAM, and is no file of devices alone either: it is nothing that "
            + "a machine could go on from")
      }
      let images = try OpenImages(
        machine.stateNodes, for: .change, access: access, control: control)
      do {
        return try stage(file, isDevicesOnly: summary.isDevicesOnly, images, control)
      } catch {
        images.unlock()
        throw error
      }
    } catch {
      throw JobError(error, of: request.filename, while: "loading")
    }
  }

  /// Reads a file to its last byte.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - control: of the job.
  /// - Throws: `JobError` with the first thing that is wrong.
  public static func check(_ path: String, _ control: JobControl) throws(JobError) {
    do {
      let file = try StateFile.named(path)
      let meter = StateMeter(control, foreseeing: file.byteCount)
      _ = try StreamSummary(reading: StateProgress(StateStream(file), meter))
      meter.finish()
    } catch {
      throw JobError(error, of: path, while: "loading")
    }
  }

  private func stage(
    _ file: StateFile, isDevicesOnly: Bool, _ images: OpenImages, _ control: JobControl
  ) throws -> PreparedSnapshots {
    let present = try PresentState(images.members, log: access.log)
    let moments = try images.members.map { member throws(JobError) in try moment(of: member) }
    let staged = try StagedStateWriter(in: access.log.stagedStateDirectory)
    do {
      var remarks: [String] = []
      let output: StreamOutput = { bytes throws(StreamError) in
        do throws(JobError) { try staged.write(bytes) } catch { throw .output(error) }
      }
      let meter = StateMeter(control, foreseeing: 2 * file.byteCount)
      let source = StateProgress(StateStream(file), meter)
      if isDevicesOnly {
        remarks += try merge(source, into: present, images, output, control)
      } else {
        var reader = try StreamReader(source)
        let writer = StreamWriter(to: output)
        try writer.begin()
        while let part = try reader.next() { try writer.copy(part, from: &reader) }
        try writer.finish()
      }
      try staged.synchronize()
      // What is kept is read once more: the machine will depend on it.
      _ = try StreamSummary(
        reading: StateProgress(
          StateStream(try StateFile(opening: staged.path, access: access.files)), meter))
      meter.finish()
      let state = DeviceStateID()
      let notes = images.members.indices.map { index in
        DeviceStateNote(
          state: state, member: index, of: images.members.count,
          path: images.members[index].image.path, snapshot: moments[index], file: staged.name)
      }
      var drafts: [ImageDraft] = []
      for member in images.members { drafts.append(try ImageDraft(member.image)) }
      let prepared = try DraftPreparation(access: access, control: control).prepare(
        drafts, of: images.members,
        states: StateTransition(from: present, images.members, to: notes))
      return PreparedSnapshots(prepared, locked: images, staged: staged, remarks: remarks)
    } catch {
      staged.discard()
      throw error
    }
  }

  /// The snapshot by which it is known later whether somebody has written to a block device, which has neither
  /// length nor time of its own; nil for a file.
  private func moment(of member: OpenImages.Member) throws(JobError) -> SnapshotIdentity? {
    guard member.image.isBlockDevice else { return nil }
    do throws(Qcow2Error) {
      if let position = try member.image.snapshotOfActiveState() {
        return SnapshotIdentity(member.image.snapshots[position])
      }
    } catch {
      throw JobError(error, node: member.node.name.description)
    }
    throw JobError(
      .refused,
      "\(member.node.name): nobody can tell later whether somebody has written to the block device "
        + "\(member.image.path). Take a snapshot of what is on it first: "
        + "\(NextStep("save", "--tag", "TAG", "--disk-only"))")
  }

  /// Puts the devices of a file into the machine's present state.
  private func merge(
    _ file: StateProgress, into present: PresentState, _ images: OpenImages,
    _ output: @escaping StreamOutput, _ control: JobControl
  ) throws -> [String] {
    let source: PresentState.Source
    do throws(JobError) {
      source = try present.usableSource()
    } catch {
      throw JobError(
        error.kind,
        "\(request.filename) has the devices only, and there is no state with RAM to put them into: "
          + error.message)
    }
    let state = StateStream(try source.open(images))
    let meter = StateMeter(control, foreseeing: 2 * (state.byteCount ?? 0))
    let merged = try DeviceStateFile.merge(file, into: StateProgress(state, meter), to: output)
    meter.finish()
    return merged.keepsDescription
      ? []
      : [
        "The description of the devices' fields is left out: a device's state has another length or version "
          + "than the one that was described"
      ]
  }
}
