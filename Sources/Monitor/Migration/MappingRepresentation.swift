import DeviceState
import Jobs
import QMP
import SnapshotJobs

/// `BitmapMigrationNodeAlias` of qapi/migration.json.
extension BlockBitmapMapping {
  /// The type of ``json``.
  static let schema = SchemaType.array(
    .object(
      SchemaObject(
        "BitmapMigrationNodeAlias",
        [
          .required("node-name", .string), .required("alias", .string),
          .required("bitmaps", .array(.object(bitmapSchema))),
        ])))

  private static let bitmapSchema = SchemaObject(
    "BitmapMigrationBitmapAlias",
    [
      .required("name", .string), .required("alias", .string),
      .optional(
        "transform",
        .object(
          SchemaObject(
            "BitmapMigrationBitmapAliasTransform", [.optional("persistent", .boolean)]))),
    ])

  /// The mapping of a member of checked arguments; nil if it is absent.
  ///
  /// - Throws: `JobError` with QEMU's text for the first rule that is broken.
  init?(ifPresent name: String, in arguments: Arguments) throws {
    guard arguments[name] != nil else { return nil }
    do {
      try self.init(
        try arguments.objects(name).map { node in
          Node(
            name: try node.string("node-name"), alias: try node.string("alias"),
            bitmaps: try node.objects("bitmaps").map { try Bitmap($0) })
        })
    } catch let error as StreamError {
      throw JobError(.refused, error.message)
    }
  }

  /// The mapping as QEMU tells of it.
  var json: QMPValue {
    .array(
      nodes.map { node in
        [
          "bitmaps": .array(node.bitmaps.map(\.json)), "node-name": .string(node.name),
          "alias": .string(node.alias),
        ]
      })
  }
}

extension BlockBitmapMapping.Bitmap {
  fileprivate init(_ arguments: Arguments) throws(QMPError) {
    self.init(
      name: try arguments.string("name"), alias: try arguments.string("alias"),
      transform: arguments.object(ifPresent: "transform").map { transform in
        BlockBitmapMapping.Transform(
          persistent: transform["persistent"] == nil ? nil : transform.flag("persistent"))
      })
  }

  fileprivate var json: QMPValue {
    var members: [QMPValue.Member] = [.init("name", .string(name))]
    if let transform {
      members.append(
        .init(
          "transform", .object(transform.persistent.map { [.init("persistent", .bool($0))] } ?? [])
        ))
    }
    return .object(members + [.init("alias", .string(alias))])
  }
}
