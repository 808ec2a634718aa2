public import DeviceState
public import Jobs
public import Qcow2

/// What a stored device state consists of.
public struct StateInspection: Sendable, Hashable {
  /// The whole stream.
  public let summary: StreamSummary
  /// The fields of the devices that were asked for, in the stream's order.
  public let fields: [DeviceFields]

  /// The fields of one device.
  public struct DeviceFields: Sendable, Hashable {
    /// The device.
    public let device: DeviceName
    /// Its fields, in the order of its state.
    public let fields: [DeviceField]

    /// Makes the fields of a device.
    public init(device: DeviceName, fields: [DeviceField]) {
      self.device = device
      self.fields = fields
    }
  }

  /// Makes an inspection.
  public init(summary: StreamSummary, fields: [DeviceFields]) {
    self.summary = summary
    self.fields = fields
  }
}

extension Machine {
  /// Reads a stored device state to its last byte, and tells what it consists of.
  ///
  /// - Parameters:
  ///   - reference: which state.
  ///   - name: the device whose fields are told, `i8259` or `i8259#1`; nil for none.
  ///   - files: where files come from.
  /// - Returns: what it is.
  /// - Throws: `JobError`: not found if there is no such state or device; refused if the state is
  ///   damaged, or nothing describes the fields.
  public func inspect(
    _ reference: StateReference, fieldsOf name: String? = nil,
    files: any FileAccess = PosixFileAccess()
  ) throws(JobError) -> StateInspection {
    try withState(reference, files: files) { contents in
      guard let name else { return StateInspection(summary: contents.summary, fields: []) }
      let devices = contents.devices(named: name)
      guard !devices.isEmpty else {
        throw JobError(
          .notFound,
          "\(reference) has no device '\(name)' whose fields could be told. See: "
            + "\(NextStep(["devices", "inspect"] + reference.arguments))")
      }
      let fields = try devices.map { device in
        guard let fields = try contents.fields(of: device) else {
          throw JobError(
            .refused,
            "\(reference): nothing in it describes the fields of '\(device.name)'. Streams that "
              + "QEMU writes as a snapshot or a migration do; files of devices alone do not")
        }
        return StateInspection.DeviceFields(device: device.name, fields: fields)
      }
      return StateInspection(summary: contents.summary, fields: fields)
    }
  }

  /// Tells how the devices of two stored states differ.
  ///
  /// - Parameters:
  ///   - old: the first state.
  ///   - new: the second state.
  ///   - files: where files come from.
  /// - Returns: the difference.
  /// - Throws: `JobError`: not found if there is no such state; refused if one is damaged.
  public func compare(
    _ old: StateReference, _ new: StateReference, files: any FileAccess = PosixFileAccess()
  ) throws(JobError) -> StreamComparison {
    try withState(old, files: files) { first in
      try withState(new, files: files) { second in
        try StreamComparison(from: first, to: second)
      }
    }
  }
}
