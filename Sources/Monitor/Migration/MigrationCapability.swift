import QMP

/// What a migration can be told to do besides (`MigrationCapability` of qapi/migration.json), in QEMU's order.
enum MigrationCapability: String, Sendable, Hashable, CaseIterable {
  case xbzrle
  case rdmaPinAll = "rdma-pin-all"
  case autoConverge = "auto-converge"
  case zeroBlocks = "zero-blocks"
  case compress
  case events
  case postcopyRAM = "postcopy-ram"
  case colo = "x-colo"
  case releaseRAM = "release-ram"
  case block
  case returnPath = "return-path"
  case pauseBeforeSwitchover = "pause-before-switchover"
  case multifd
  case dirtyBitmaps = "dirty-bitmaps"
  case postcopyBlocktime = "postcopy-blocktime"
  case lateBlockActivate = "late-block-activate"
  case ignoreShared = "x-ignore-shared"
  case validateUUID = "validate-uuid"
  case backgroundSnapshot = "background-snapshot"
  case zeroCopySend = "zero-copy-send"
  case postcopyPreempt = "postcopy-preempt"

  /// Those that mean something where there is no guest.
  static let applicable: Set<MigrationCapability> = [
    .dirtyBitmaps, .events, .validateUUID, .pauseBeforeSwitchover,
  ]

  static let schema = SchemaEnumeration("MigrationCapability", allCases.map(\.rawValue))

  /// The type of one element of lists of them.
  static let statusSchema = SchemaObject(
    "MigrationCapabilityStatus",
    [.required("capability", .enumeration(schema)), .required("state", .boolean)])

  /// Switches capabilities on and off, all or none.
  ///
  /// - Parameters:
  ///   - changes: elements of type ``statusSchema``; of two about one capability the later counts.
  ///   - old: what was on.
  /// - Returns: what is on afterwards.
  /// - Throws: `QMPError` naming the first one that is to be on and has no meaning here.
  static func apply(
    _ changes: [Arguments], to old: Set<MigrationCapability>
  ) throws(QMPError) -> Set<MigrationCapability> {
    var new = old
    for change in changes {
      let name = try change.string("capability")
      guard let capability = MigrationCapability(rawValue: name) else { continue }
      guard change.flag("state") else {
        new.remove(capability)
        continue
      }
      guard applicable.contains(capability) else {
        throw QMPError(
          .genericError,
          "Capability '\(name)' is not applicable to a machine without a guest; those that are: "
            + "dirty-bitmaps, events, pause-before-switchover, validate-uuid")
      }
      new.insert(capability)
    }
    return new
  }
}
