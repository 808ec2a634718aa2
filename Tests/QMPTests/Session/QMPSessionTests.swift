import QMP
import Testing

/// The rows of QEMU's own answers, without a socket.
@Suite struct QMPSessionTests {
  private static let commands = [
    CommandSignature("query-jobs", returns: .array(.any)),
    CommandSignature("yank", allowsOutOfBand: true),
  ]

  /// Feeds texts to a session and returns what it does, as text.
  private func answers(_ texts: String...) -> [String] {
    var session = QMPSession(commands: Self.commands)
    var reader = JSONReader()
    var actions: [QMPSession.Action] = []
    for text in texts {
      reader.feed(Array(text.utf8)) { actions.append(session.receive($0)) }
    }
    return actions.map { action in
      switch action {
      case .reply(let value): "reply \(value)"
      case .begin(let value): "begin \(value)"
      case .execute(let request):
        (request.isOutOfBand ? "oob " : "execute ") + "\(request.command) \(request.id ?? .null)"
      }
    }
  }

  private func error(_ desc: String, class errorClass: String = "GenericError") -> String {
    #"reply {"error": {"class": "\#(errorClass)", "desc": "\#(desc)"}}"#
  }

  private let negotiate = #"{"execute": "qmp_capabilities"}"#

  @Test func `the greeting names version and capabilities`() {
    #expect(
      "\(QMPSession.greeting(version: ["package": "p"]))"
        == #"{"QMP": {"version": {"package": "p"}, "capabilities": ["oob", "x-snapjob-kind"]}}"#)
  }

  @Test func `nothing but negotiation is done before it, and it is done once`() {
    let found = answers(
      #"{"execute": "query-jobs", "id": 1}"#, negotiate, #"{"execute": "query-jobs", "id": "x"}"#,
      negotiate)
    #expect(
      found == [
        #"reply {"error": {"class": "CommandNotFound", "desc": "Expecting capabilities negotiation "#
          + #"with 'qmp_capabilities'"}, "id": 1}"#,
        #"begin {"return": {}}"#, #"execute query-jobs "x""#,
        error(
          "Capabilities negotiation is already complete, command ignored", class: "CommandNotFound"),
      ])
  }

  @Test(
    "Each malformed message has QEMU's answer",
    arguments: [
      (#"[1]"#, "QMP input must be a JSON object"), ("42 ", "QMP input must be a JSON object"),
      (#""x""#, "QMP input must be a JSON object"), ("{}", "QMP input lacks member 'execute'"),
      (#"{"execute": 1}"#, "QMP input member 'execute' must be a string"),
      (
        #"{"execute": "query-jobs", "arguments": []}"#,
        "QMP input member 'arguments' must be an object"
      ),
      (#"{"execute": "query-jobs", "foo": 1}"#, "QMP input member 'foo' is unexpected"),
      (#"{"exec-oob": "query-jobs"}"#, "QMP input member 'exec-oob' is unexpected"),
      ("}", "JSON parse error, expecting value"),
      ("tru ", "JSON parse error, invalid keyword 'tru'"),
      (#"{"a" 1}"#, "JSON parse error, missing : in object pair"),
    ])
  func malformed(text: String, desc: String) {
    #expect(answers(negotiate, text).dropFirst().first == error(desc))
    #expect(
      answers(negotiate, text, #"{"execute": "query-jobs"}"#).last == "execute query-jobs null")
  }

  @Test func `the id goes back whatever it is, also with an error`() {
    for id in ["null", "-5", "1.5", #"{"a": [true]}"#, #""\u00e9""#] {
      let text = #"{"execute": "nope", "arguments": [], "id": \#(id)}"#
      let expected = id == #""\u00e9""# ? #""\u00E9""# : id
      #expect(answers(negotiate, text)[1].hasSuffix(#""id": \#(expected)}"#))
    }
  }

  @Test func `capabilities are checked as QEMU checks them`() {
    let bogus = #"{"execute": "qmp_capabilities", "arguments": {"enable": ["bogus"]}}"#
    #expect(answers(bogus) == [error("Parameter 'null' does not accept value 'bogus'")])
    let twice = #"{"execute": "qmp_capabilities", "arguments": {"zz": 1}}"#
    #expect(answers(twice) == [error("Parameter 'zz' is unexpected")])
  }

  @Test func `who asks for it is told the kind of a failure, nobody else`() throws {
    let failure = Result<QMPValue, QMPError>.failure(QMPError(.genericError, "x", kind: "notFound"))
    var session = QMPSession(commands: Self.commands)
    let plain = #"{"error": {"class": "GenericError", "desc": "x"}}"#
    for (enabled, reply) in [
      ("", plain),
      (
        #""x-snapjob-kind""#,
        #"{"error": {"class": "GenericError", "desc": "x", "x-kind": "notFound"}}"#
      ),
    ] {
      session = QMPSession(commands: Self.commands)
      let negotiation = #"{"execute": "qmp_capabilities", "arguments": {"enable": [\#(enabled)]}}"#
      _ = session.receive(.success(try QMPValue(parsing: negotiation)))
      guard case .execute(let request) = session.receive(.success(["execute": "query-jobs"])) else {
        Issue.record("nothing is executed")
        return
      }
      #expect("\(request.reply(failure))" == reply)
    }
    #expect(
      try QMPServerMessage(try QMPValue(parsing: plain))
        == .reply(id: nil, .failure(QMPError(.genericError, "x"))))
  }

  @Test func `out-of-band execution is there once it is enabled`() {
    let enable = #"{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}"#
    #expect(
      answers(
        enable, #"{"exec-oob": "yank", "id": 1}"#, #"{"exec-oob": "query-jobs"}"#,
        #"{"execute": "yank", "exec-oob": "yank"}"#, #"{"exec-oob": "nope", "id": 2}"#)
        == [
          #"begin {"return": {}}"#, "oob yank 1",
          error("The command query-jobs does not support OOB"),
          error("QMP input member 'exec-oob' clashes with 'execute'"), "oob nope 2",
        ])
  }
}
