import QMP

/// The options of `blockdev-add` (`BlockdevOptions` of qapi/block-core.json), as far as they have a
/// meaning for files that no guest uses.
///
/// What only concerns how a running guest's requests are served (caches, discards, detection of zeros)
/// is accepted, so that the words that make a node in QEMU make it here, and not kept. What would
/// loosen snapjob's hold on its files (`force-share`, `locking` `off`) is not there.
enum BlockNodeOptions {
  /// The arguments of the command, in the order in which QEMU checks them.
  static let members: [SchemaMember] =
    [.required("driver", driver(["qcow2"])), .optional("node-name", .string)] + common + [
      .required(
        "file",
        .alternate(SchemaAlternate("BlockdevRef", [.object(SchemaObject(fileMembers)), .string]))),
      .optional("backing", .null), .optional("lazy-refcounts", .boolean),
      .optional("pass-discard-request", .boolean), .optional("pass-discard-snapshot", .boolean),
      .optional("pass-discard-other", .boolean),
      .optional(
        "overlap-check",
        .enumeration(
          SchemaEnumeration("Qcow2OverlapCheckMode", ["none", "constant", "cached", "all"]))),
      .optional("cache-size", .integer), .optional("l2-cache-size", .integer),
      .optional("l2-cache-entry-size", .integer), .optional("refcount-cache-size", .integer),
      .optional("cache-clean-interval", .integer),
    ]

  private static let fileMembers: [SchemaMember] =
    [.required("driver", driver(["file", "host_device"])), .optional("node-name", .string)]
    + common + [
      .required("filename", .string),
      .optional(
        "locking", .enumeration(SchemaEnumeration("OnOffAuto", ["auto", "on"]))),
      .optional(
        "aio",
        .enumeration(
          SchemaEnumeration("BlockdevAioOptions", ["threads", "native", "io_uring"]))),
    ]

  private static let common: [SchemaMember] = [
    .optional(
      "discard",
      .enumeration(SchemaEnumeration("BlockdevDiscardOptions", ["ignore", "unmap"]))),
    .optional(
      "cache",
      .object(
        SchemaObject(
          "BlockdevCacheOptions",
          [.optional("direct", .boolean), .optional("no-flush", .boolean)]))),
    .optional("read-only", .boolean), .optional("auto-read-only", .boolean),
    .optional(
      "detect-zeroes",
      .enumeration(SchemaEnumeration("BlockdevDetectZeroesOptions", ["off", "on", "unmap"]))),
  ]

  private static func driver(_ names: [String]) -> SchemaType {
    .enumeration(SchemaEnumeration("BlockdevDriver", names))
  }
}
