/// The part of the conversation that is about dirty bitmaps. None is left at its end.
enum BitmapConversation {
  static let steps: [ConversationStep] =
    additions + refusals + changes + merges + transactions
    + [
      step("query-block"), step("query-named-block-nodes"),
      bitmap("remove", "disk0", "b0"), bitmap("remove", "disk0", "b1"),
      bitmap("remove", "disk1", "c0"), step("query-named-block-nodes"),
    ]

  private static func step(_ command: String, _ arguments: String? = nil) -> ConversationStep {
    ConversationStep(command, arguments)
  }

  /// The arguments of most commands on bitmaps.
  private static func members(_ node: String, _ name: String, _ more: String = "") -> String {
    #"{"node": "\#(node)", "name": \#(JSONValue.quoted(name))\#(more)}"#
  }

  private static func bitmap(
    _ verb: String, _ node: String, _ name: String, _ more: String = ""
  ) -> ConversationStep {
    step("block-dirty-bitmap-\(verb)", members(node, name, more))
  }

  private static let persistent = #", "persistent": true"#

  private static let additions: [ConversationStep] = [
    bitmap("add", "disk0", "", persistent), bitmap("add", "none", "", persistent),
    bitmap("add", "none", "b0", persistent), bitmap("add", "", "b0", persistent),
    bitmap("add", "disk0", "b0", persistent), bitmap("add", "disk0", "b0", persistent),
    bitmap("add", "disk0", "b1", persistent + #", "granularity": 512, "disabled": true"#),
    bitmap("add", "disk1", "c0", persistent + #", "granularity": 2147483648"#),
    bitmap("add", "disk0", String(repeating: "x", count: 1024), persistent),
    step("query-named-block-nodes"),
  ]

  private static let refusals: [ConversationStep] =
    ["0", "256", "511", "3000", "-1", "8589934592", "true", "1.5"].map {
      bitmap("add", "disk0", "new", persistent + #", "granularity": \#($0)"#)
    } + [
      step("block-dirty-bitmap-add"), step("block-dirty-bitmap-add", #"{"node": "disk0"}"#),
      bitmap("add", "disk0", "new", #", "persistent": 5"#),
      bitmap("add", "disk0", "new", #", "zz": 5"#),
      step("block-dirty-bitmap-clear", #"{"name": "b0"}"#),
      bitmap("add", "disk0", "passing").differing(.passingBitmap),
      bitmap("remove", "disk0", "passing").differing(.passingBitmap),
    ]
    + ["remove", "clear", "enable", "disable"].flatMap { verb in
      [bitmap(verb, "none", "b0"), bitmap(verb, "disk0", "none"), bitmap(verb, "disk0", "")]
    }

  private static let digest = "x-debug-block-dirty-bitmap-sha256"

  private static let changes: [ConversationStep] = [
    step(digest, members("disk0", "b0")), step(digest, members("disk0", "b1")),
    step(digest, members("disk0", "none")), step(digest, members("none", "b0")), step(digest),
    bitmap("clear", "disk0", "b0"), bitmap("disable", "disk0", "b0"),
    bitmap("disable", "disk0", "b0"), bitmap("enable", "disk0", "b1"),
    bitmap("clear", "disk0", "b1"), step("query-named-block-nodes"),
    bitmap("enable", "disk0", "b0"), bitmap("enable", "disk0", "b0"),
    bitmap("add", "disk0", "gone", persistent), bitmap("remove", "disk0", "gone"),
    bitmap("remove", "disk0", "gone"), step("query-named-block-nodes"),
  ]

  private static func merge(_ node: String, _ target: String, _ sources: String) -> String {
    #"{"node": "\#(node)", "target": "\#(target)", "bitmaps": \#(sources)}"#
  }

  private static let merges: [ConversationStep] =
    [
      merge("disk0", "b0", #"["b1"]"#), merge("disk0", "b0", #"["b0"]"#),
      merge("disk0", "b0", #"["b1", "none"]"#), merge("disk0", "none", #"["b1"]"#),
      merge("none", "b0", #"["b1"]"#), merge("disk0", "b0", "[5]"), merge("disk0", "b0", #""b1""#),
      merge("disk0", "b0", #"[{"node": "disk1", "name": "c0"}]"#),
      merge("disk0", "b0", #"[{"node": "none", "name": "c0"}]"#),
      merge("disk0", "b0", #"[{"node": "disk1", "name": "none"}]"#),
      merge("disk0", "b0", #"[{"node": "disk1"}]"#), #"{"node": "disk0", "target": "b0"}"#,
    ].map { step("block-dirty-bitmap-merge", $0) }

  private static func action(
    _ verb: String, _ node: String, _ name: String, _ more: String = ""
  ) -> String {
    #"{"type": "block-dirty-bitmap-\#(verb)", "data": \#(members(node, name, more))}"#
  }

  private static func transaction(_ actions: String..., mode: String? = nil) -> ConversationStep {
    let properties = mode.map { #", "properties": {"completion-mode": "\#($0)"}"# } ?? ""
    return step("transaction", "{\"actions\": [\(actions.joined(separator: ", "))]\(properties)}")
  }

  private static let abort = #"{"type": "abort", "data": {}}"#
  private static let take =
    #"{"type": "blockdev-snapshot-internal-sync", "data": {"device": "disk0", "name": "point"}}"#

  private static let transactions: [ConversationStep] = [
    transaction(action("clear", "disk0", "b0"), action("disable", "disk1", "c0")),
    transaction(action("clear", "disk0", "b0"), action("clear", "disk0", "none")),
    transaction(action("add", "disk0", "t0", persistent), action("clear", "none", "b0")),
    transaction(action("add", "disk0", "b0", persistent)),
    transaction(action("enable", "disk1", "c0"), abort),
    transaction(action("clear", "disk0", "b0"), mode: "grouped"),
    transaction(action("clear", "none", "b0"), mode: "grouped"),
    transaction(action("add", "disk0", "t0", persistent), action("disable", "disk0", "t0")),
    transaction(take, action("clear", "disk0", "b0")), step("query-named-block-nodes"),
    transaction(action("remove", "disk0", "t0"), action("clear", "disk0", "t0"))
      .differing(.bitmapActionOrder),
    bitmap("remove", "disk0", "t0"),
    step(
      "blockdev-snapshot-delete-internal-sync", #"{"device": "disk0", "name": "point"}"#),
    transaction(#"{"type": "block-dirty-bitmap-clear", "data": {"node": "disk0"}}"#),
    transaction(
      #"{"type": "block-dirty-bitmap-merge", "data": \#(merge("disk0", "b0", #"["b1"]"#))}"#),
  ]
}
