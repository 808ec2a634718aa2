/// The part of the conversation that is about migrations: settings, and what is refused. Nothing is migrated.
public enum MigrationConversation {
  /// Everything, in this order.
  public static let steps: [ConversationStep] =
    queries + capabilities + mappings + parameters + refusals

  private static func step(_ command: String, _ arguments: String? = nil) -> ConversationStep {
    ConversationStep(command, arguments)
  }

  private static let queries: [ConversationStep] = [
    step("query-migrate"), step("query-migrate-capabilities"), step("query-migrate-parameters"),
    step("migrate_cancel"), step("query-migrate", #"{"x": 1}"#),
  ]

  private static func capability(_ name: String, _ state: String = "true") -> ConversationStep {
    step(
      "migrate-set-capabilities",
      #"{"capabilities": [{"capability": "\#(name)", "state": \#(state)}]}"#)
  }

  private static let capabilities: [ConversationStep] = [
    step("migrate-set-capabilities"), step("migrate-set-capabilities", #"{"capabilities": 5}"#),
    step("migrate-set-capabilities", #"{"capabilities": []}"#),
    step("migrate-set-capabilities", #"{"capabilities": [{"capability": "events"}]}"#),
    step("migrate-set-capabilities", #"{"capabilities": [{"state": true}]}"#),
    capability("none"), capability("events", "1"), capability("events"),
    capability("dirty-bitmaps"), capability("validate-uuid"), capability("pause-before-switchover"),
    capability("xbzrle", "false"), step("query-migrate-capabilities"),
    capability("events", "false"),
    capability("pause-before-switchover", "false"), step("query-migrate-capabilities"),
    capability("xbzrle").differing(.noGuest), capability("xbzrle", "false"),
  ]

  private static func mapping(_ nodes: String...) -> ConversationStep {
    step(
      "migrate-set-parameters", "{\"block-bitmap-mapping\": [\(nodes.joined(separator: ", "))]}")
  }

  private static func node(_ name: String, _ alias: String, _ bitmaps: (String, String)...)
    -> String
  {
    let list = bitmaps.map { #"{"name": "\#($0.0)", "alias": "\#($0.1)"}"# }
    return
      #"{"node-name": "\#(name)", "alias": "\#(alias)", "bitmaps": [\#(list.joined(separator: ", "))]}"#
  }

  private static func long(_ count: Int) -> String { String(repeating: "x", count: count) }

  /// The nine rules, and what is no rule.
  private static let mappings: [ConversationStep] = [
    mapping(node("n", "1a")), mapping(node("n", "")), mapping(node("n", long(256))),
    mapping(node(long(32), "a")), mapping(node("n", "a"), node("n", "b")),
    mapping(node("n", "a"), node("m", "a")), mapping(node("n", "a", ("b", long(256)))),
    mapping(node("n", "a", (long(1024), "b"))), mapping(node("n", "a", ("b", "x"), ("b", "y"))),
    mapping(node("n", "a", ("b", "x"), ("c", "x"))),
    mapping(node(long(32), "1", ("b", long(256)))),
    mapping(node("n", "a", ("b", "x"), ("b", "y")), node("n", "1")),
    step("query-migrate-parameters"), mapping(), step("query-migrate-parameters"),
    mapping(node("", "a"), node("m", "b", ("", ""), ("a/b", "c=d"))),
    mapping(node(long(31), long(255), (long(1023), long(255)))), step("query-migrate-parameters"),
    mapping(
      #"{"node-name": "n", "alias": "a", "bitmaps": [{"name": "b", "alias": "c", "transform": {"persistent": true}}, {"name": "d", "alias": "e", "transform": {}}]}"#
    ),
    step("query-migrate-parameters"), mapping("5"), mapping("{}"), mapping(#"{"node-name": "n"}"#),
    mapping(#"{"node-name": "n", "alias": "a"}"#),
    mapping(#"{"node-name": "n", "alias": "a", "bitmaps": [], "x": 1}"#),
    mapping(#"{"node-name": "n", "alias": "a", "bitmaps": [{"name": "b"}]}"#),
    mapping(
      #"{"node-name": "n", "alias": "a", "bitmaps": [{"name": "b", "alias": "c", "transform": {"persistent": 1}}]}"#
    ),
    step("migrate-set-parameters", #"{"block-bitmap-mapping": null}"#),
    step("query-migrate-parameters"),
  ]

  private static let parameters: [ConversationStep] = [
    step("migrate-set-parameters"), step("migrate-set-parameters", #"{"zz": 1}"#),
    step("migrate-set-parameters", #"{"max-bandwidth": "1"}"#),
    step("migrate-set-parameters", #"{"max-bandwidth": 1000, "downtime-limit": 300}"#),
    step("migrate-set-parameters", #"{"tls-creds": null, "multifd-compression": "none"}"#),
    step("migrate-set-parameters", #"{"multifd-compression": "x"}"#),
    step("migrate-set-parameters", #"{"tls-creds": 5}"#),
    step("query-migrate-parameters"),
    step("migrate-set-parameters", #"{"downtime-limit": 5}"#).differing(.noGuest),
    step("migrate-set-parameters", #"{"downtime-limit": 300, "max-bandwidth": 0}"#),
    step("query-migrate-parameters"),
  ]

  private static let refusals: [ConversationStep] = [
    step("migrate"), step("migrate", #"{"uri": 5}"#),
    step("migrate", #"{"uri": "unix:/x", "zz": 1}"#),
    step("migrate", #"{"uri": "unix:/x", "resume": true}"#), step("migrate-incoming"),
    step("migrate-continue"), step("migrate-continue", #"{"state": "x"}"#),
    step("migrate-continue", #"{"state": "active"}"#),
    step("migrate-continue", #"{"state": "pre-switchover"}"#), step("query-migrate"),
    step("migrate", #"{"uri": "x"}"#).differing(.nextStep),
    step("migrate", #"{"uri": "http:x"}"#).differing(.nextStep),
    capability("dirty-bitmaps", "false"), capability("validate-uuid", "false"),
    step("query-migrate-capabilities"),
  ]
}
