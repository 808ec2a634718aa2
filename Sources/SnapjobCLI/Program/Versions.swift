import QMP

/// The versions that `--version` tells.
enum Versions {
  /// The version of the shapes that `--json` prints; it rises when one changes incompatibly.
  static let jsonVersion: Int64 = 1

  /// For people.
  static var text: String {
    """
    snapjob \(EngineDoor.programVersion)
    JSON output version \(jsonVersion)
    catalog schema version \(EngineDoor.catalogSchemaVersion)
    """
  }

  /// For programs.
  static var json: QMPValue {
    [
      "program": .string(EngineDoor.programVersion), "json": .int(jsonVersion),
      "catalog-schema": .int(Int64(EngineDoor.catalogSchemaVersion)),
    ]
  }
}
