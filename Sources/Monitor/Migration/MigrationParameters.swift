import DeviceState
import QMP

/// How migrations are done (`MigrationParameters` of qapi/migration.json).
///
/// Only two of them mean something where there is no guest. The others have QEMU's defaults, and keep them.
struct MigrationParameters: Sendable, Hashable {
  /// Bytes per second; 0 for no limit.
  var maxBandwidth: UInt64 = 128 << 20
  /// Under which names bitmaps go over the wire; nil as long as it was not set.
  var blockBitmapMapping: BlockBitmapMapping?

  /// A parameter that cannot be changed.
  private struct Fixed {
    let name: String
    let type: SchemaType
    let value: QMPValue
  }

  /// QEMU's defaults, in the order in which it checks them; nil stands for ``maxBandwidth``.
  private static let fixed: [Fixed?] = [
    Fixed(name: "announce-initial", type: .unsigned, value: 50),
    Fixed(name: "announce-max", type: .unsigned, value: 550),
    Fixed(name: "announce-rounds", type: .unsigned, value: 5),
    Fixed(name: "announce-step", type: .unsigned, value: 100),
    Fixed(name: "compress-level", type: .unsigned, value: 1),
    Fixed(name: "compress-threads", type: .unsigned, value: 8),
    Fixed(name: "compress-wait-thread", type: .boolean, value: true),
    Fixed(name: "decompress-threads", type: .unsigned, value: 2),
    Fixed(name: "throttle-trigger-threshold", type: .unsigned, value: 50),
    Fixed(name: "cpu-throttle-initial", type: .unsigned, value: 20),
    Fixed(name: "cpu-throttle-increment", type: .unsigned, value: 10),
    Fixed(name: "cpu-throttle-tailslow", type: .boolean, value: false),
    Fixed(name: "tls-creds", type: .string, value: ""),
    Fixed(name: "tls-hostname", type: .string, value: ""),
    Fixed(name: "tls-authz", type: .string, value: ""),
    nil,
    Fixed(name: "downtime-limit", type: .unsigned, value: 300),
    Fixed(name: "x-checkpoint-delay", type: .unsigned, value: 20000),
    Fixed(name: "block-incremental", type: .boolean, value: false),
    Fixed(name: "multifd-channels", type: .unsigned, value: 2),
    Fixed(name: "xbzrle-cache-size", type: .unsigned, value: 67_108_864),
    Fixed(name: "max-postcopy-bandwidth", type: .unsigned, value: 0),
    Fixed(name: "max-cpu-throttle", type: .unsigned, value: 99),
    Fixed(
      name: "multifd-compression",
      type: .enumeration(SchemaEnumeration("MultiFDCompression", ["none", "zlib", "zstd"])),
      value: "none"),
    Fixed(name: "multifd-zlib-level", type: .unsigned, value: 1),
    Fixed(name: "multifd-zstd-level", type: .unsigned, value: 1),
  ]

  private static let maxBandwidthName = "max-bandwidth"
  private static let mappingName = "block-bitmap-mapping"

  /// The arguments of `migrate-set-parameters`.
  static let changeMembers: [SchemaMember] =
    fixed.map { parameter in
      guard let parameter else { return .optional(maxBandwidthName, .unsigned) }
      guard case .string = parameter.type else { return .optional(parameter.name, parameter.type) }
      return .optional(
        parameter.name, .alternate(SchemaAlternate("StrOrNull", [.string, .null])))
    } + [.optional(mappingName, BlockBitmapMapping.schema)]

  /// The type of ``json``.
  static let schema = SchemaObject(
    "MigrationParameters",
    fixed.map { parameter in
      .optional(parameter?.name ?? maxBandwidthName, parameter?.type ?? .unsigned)
    } + [.optional(mappingName, BlockBitmapMapping.schema)])

  /// The parameters as `query-migrate-parameters` tells of them.
  var json: QMPValue {
    let bandwidth = Int64(exactly: maxBandwidth).map { QMPValue.int($0) } ?? .uint(maxBandwidth)
    var members = Self.fixed.map { parameter in
      QMPValue.Member(
        parameter?.name ?? Self.maxBandwidthName, parameter?.value ?? bandwidth)
    }
    if let blockBitmapMapping {
      members.append(.init(Self.mappingName, blockBitmapMapping.json))
    }
    return .object(members)
  }

  /// Changes what the checked arguments of `migrate-set-parameters` have.
  ///
  /// - Throws: QEMU's text for a mapping that is none; `QMPError` naming a parameter that is to be changed and
  ///   has no meaning here. Nothing has changed then.
  mutating func apply(_ arguments: Arguments) throws {
    var changed = self
    for parameter in Self.fixed {
      guard let parameter, let value = arguments[parameter.name] else { continue }
      guard value == parameter.value || value == .null else {
        throw QMPError(
          .genericError,
          "Parameter '\(parameter.name)' is not applicable to a machine without a guest; those that are: "
            + "block-bitmap-mapping, max-bandwidth")
      }
    }
    if let bandwidth = arguments.unsigned(ifPresent: Self.maxBandwidthName) {
      changed.maxBandwidth = bandwidth
    }
    if let mapping = try BlockBitmapMapping(ifPresent: Self.mappingName, in: arguments) {
      changed.blockBitmapMapping = mapping
    }
    self = changed
  }
}
