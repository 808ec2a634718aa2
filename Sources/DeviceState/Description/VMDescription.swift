/// The text at a stream's end (QEMU's *vmdesc*): the fields of each device that is in one section.
public struct VMDescription: Sendable, Hashable {
  /// Bytes of a page of RAM, if it is told.
  public let pageByteCount: UInt64?
  /// The devices, in the stream's order.
  public let devices: [DeviceDescription]

  /// Makes a description.
  public init(pageByteCount: UInt64? = nil, devices: [DeviceDescription]) {
    self.pageByteCount = pageByteCount
    self.devices = devices
  }
}

/// The fields of one device.
public struct DeviceDescription: Sendable, Hashable {
  /// The device.
  public let device: DeviceName
  /// What its state consists of. The name is empty for devices that write their state without a
  /// description; it is one field then.
  public let state: StructDescription

  /// Makes a description.
  public init(_ device: DeviceName, _ state: StructDescription) {
    self.device = device
    self.state = state
  }
}

/// The fields of a device, of a struct in it, or of a subsection (QEMU's `VMStateDescription`).
public struct StructDescription: Sendable, Hashable {
  /// QEMU's name of the kind of struct: `PCIDevice`, `timer`.
  public let name: String
  /// The version of its format.
  public let version: Int64
  /// Its fields, in the stream's order.
  public let fields: [FieldDescription]
  /// What follows the fields, each behind a header of its own.
  public let subsections: [StructDescription]

  /// Makes a description.
  public init(
    name: String, version: Int64 = 0, fields: [FieldDescription],
    subsections: [StructDescription] = []
  ) {
    self.name = name
    self.version = version
    self.fields = fields
    self.subsections = subsections
  }

  /// Bytes of the fields and of the subsections; nil if that is no number of bytes.
  public var byteCount: UInt64? {
    var sum: UInt64 = 0
    for field in fields {
      let (size, overflow) = field.byteCount.multipliedReportingOverflow(by: field.count)
      guard !overflow, add(size, to: &sum) else { return nil }
    }
    for subsection in subsections {
      guard let content = subsection.byteCount, add(content, to: &sum),
        add(UInt64(subsection.headerByteCount), to: &sum)
      else { return nil }
    }
    return sum
  }

  /// Bytes in front of the fields, if this is a subsection: `05 · n u8 · name[n] · version u32`.
  var headerByteCount: Int { 6 + name.utf8.count }

  private func add(_ count: UInt64, to sum: inout UInt64) -> Bool {
    let (result, overflow) = sum.addingReportingOverflow(count)
    sum = result
    return !overflow
  }
}

/// One field.
public struct FieldDescription: Sendable, Hashable {
  /// Its name; that of several fields of one name has a number: `unused[1]`.
  public let name: String
  /// QEMU's name of the type: `uint32`, `buffer`, `struct`, `pci irq state`.
  public let type: String
  /// Bytes of one element.
  public let byteCount: UInt64
  /// How many equal elements follow each other; 1 for what is no array.
  public let count: UInt64
  /// Which element of an array it is, if each is described on its own.
  public let index: UInt64?
  /// What an element consists of, if it has fields of its own.
  public let structure: StructDescription?

  /// Makes a description.
  public init(
    name: String, type: String, byteCount: UInt64, count: UInt64 = 1, index: UInt64? = nil,
    structure: StructDescription? = nil
  ) {
    self.name = name
    self.type = type
    self.byteCount = byteCount
    self.count = count
    self.index = index
    self.structure = structure
  }
}
