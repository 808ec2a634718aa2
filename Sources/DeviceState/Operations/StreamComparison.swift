/// How the devices of two streams differ.
public struct StreamComparison: Sendable, Hashable {
  /// A device that both have, with different states.
  public struct Change: Sendable, Hashable {
    /// The device.
    public let name: DeviceName
    /// The version of the state's format, in each.
    public let versions: Pair<UInt32>
    /// Bytes of the state, in each.
    public let byteCounts: Pair<UInt64>
    /// How many bytes differ; of states of different lengths, those at the same distance from the start
    /// and those that only one has.
    public let differingByteCount: UInt64
    /// The fields that differ, in the state's order; nil if nothing describes them.
    public let fields: [FieldChange]?
  }

  /// A field that differs.
  public struct FieldChange: Sendable, Hashable {
    /// The way to it, as ``DeviceField`` has it.
    public let path: String
    /// What the first stream has; nil if it has no such field.
    public let old: DeviceField?
    /// What the second stream has; nil if it has no such field.
    public let new: DeviceField?
  }

  /// What the first stream has, and what the second one has.
  public struct Pair<Value: Sendable & Hashable>: Sendable, Hashable {
    /// Of the first stream.
    public let old: Value
    /// Of the second stream.
    public let new: Value
  }

  /// Devices that only the second stream has, in its order.
  public let added: [DeviceName]
  /// Devices that only the first stream has, in its order.
  public let removed: [DeviceName]
  /// Devices whose states differ, in the first stream's order.
  public let changed: [Change]
  /// How many devices are equal.
  public let equalCount: Int

  /// Whether nothing differs.
  public var isEmpty: Bool { added.isEmpty && removed.isEmpty && changed.isEmpty }

  /// Compares the devices of two streams; RAM is not compared.
  ///
  /// If only one of the two describes its fields, that description serves for both.
  ///
  /// - Parameters:
  ///   - old: the first stream.
  ///   - new: the second stream.
  /// - Throws: ``StreamError`` if a source fails.
  public init(from old: StreamContents, to new: StreamContents) throws(StreamError) {
    let news = Dictionary(
      new.summary.devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let oldNames = Set(old.summary.devices.map(\.name))
    added = new.summary.devices.map(\.name).filter { !oldNames.contains($0) }
    removed = old.summary.devices.map(\.name).filter { news[$0] == nil }
    var changed: [Change] = []
    var equalCount = 0
    for before in old.summary.devices {
      guard let after = news[before.name] else { continue }
      let differing = try Self.differingBytes(old, before, new, after)
      if differing == 0, before.header.version == after.header.version {
        equalCount += 1
        continue
      }
      changed.append(
        Change(
          name: before.name,
          versions: Pair(old: before.header.version, new: after.header.version),
          byteCounts: Pair(
            old: UInt64(before.payload.count), new: UInt64(after.payload.count)),
          differingByteCount: differing,
          fields: try Self.fields(old, before, new, after)))
    }
    self.changed = changed
    self.equalCount = equalCount
  }

  /// How many bytes are compared at once.
  private static let run = 1 << 16

  private static func differingBytes(
    _ old: StreamContents, _ before: StreamSummary.Device, _ new: StreamContents,
    _ after: StreamSummary.Device
  ) throws(StreamError) -> UInt64 {
    let (first, second) = (UInt64(before.payload.count), UInt64(after.payload.count))
    let common = min(first, second)
    var differing = max(first, second) - common
    var offset: UInt64 = 0
    while offset < common {
      let count = Int(min(common - offset, UInt64(run)))
      let one = try old.bytes(at: before.payload.lowerBound + offset, count)
      let other = try new.bytes(at: after.payload.lowerBound + offset, count)
      if one != other { differing += UInt64(zip(one, other).count { $0 != $1 }) }
      offset += UInt64(count)
    }
    return differing
  }

  private static func fields(
    _ old: StreamContents, _ before: StreamSummary.Device, _ new: StreamContents,
    _ after: StreamSummary.Device
  ) throws(StreamError) -> [FieldChange]? {
    guard
      let first = try old.fields(of: before, describedBy: new.summary.description),
      let second = try new.fields(of: after, describedBy: old.summary.description)
    else { return nil }
    let seconds = Dictionary(second.map { ($0.path, $0) }, uniquingKeysWith: { one, _ in one })
    let firstPaths = Set(first.map(\.path))
    let changes = first.compactMap { field -> FieldChange? in
      let counterpart = seconds[field.path]
      guard counterpart?.bytes != field.bytes else { return nil }
      return FieldChange(path: field.path, old: field, new: counterpart)
    }
    let additions = second.filter { !firstPaths.contains($0.path) }
    return changes + additions.map { FieldChange(path: $0.path, old: nil, new: $0) }
  }
}
