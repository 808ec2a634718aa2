extension SchemaListing {
  /// The type of ``value``: `SchemaInfo` of qapi/introspect.json.
  public static let schema = SchemaType.array(
    .object(
      SchemaObject(
        "SchemaInfo", tag: "meta-type", "SchemaMetaType",
        common: [.required("name", .string), .optional("features", .array(.string))],
        [
          .init(
            "builtin",
            [
              .required(
                "json-type",
                .enumeration(
                  SchemaEnumeration(
                    "JSONType",
                    [
                      "string", "number", "int", "boolean", "null", "object", "array", "value",
                    ])))
            ]),
          .init(
            "enum",
            [
              .required(
                "members",
                .array(
                  .object(
                    SchemaObject("SchemaInfoEnumMember", [.required("name", .string)])))),
              .required("values", .array(.string)),
            ]),
          .init("array", [.required("element-type", .string)]),
          .init(
            "object",
            [
              .required("members", .array(.object(member))), .optional("tag", .string),
              .optional("variants", .array(.object(variant))),
            ]),
          .init(
            "alternate",
            [
              .required(
                "members",
                .array(
                  .object(
                    SchemaObject(
                      "SchemaInfoAlternateMember", [.required("type", .string)]))))
            ]),
          .init(
            "command",
            [
              .required("arg-type", .string), .required("ret-type", .string),
              .optional("allow-oob", .boolean),
            ]),
          .init("event", [.required("arg-type", .string)]),
        ])))

  private static let member = SchemaObject(
    "SchemaInfoObjectMember",
    [
      .required("name", .string), .required("type", .string), .optional("default", .any),
      .optional("features", .array(.string)),
    ])

  private static let variant = SchemaObject(
    "SchemaInfoObjectVariant", [.required("case", .string), .required("type", .string)])
}
