import Testing

@testable import Jobs

@Suite struct NextStepTests {
  @Test("A step is one line for a shell, whatever its words have in them")
  func quoting() {
    #expect(NextStep(["job", "finalize", "a-1"]).commandLine == "snapjob job finalize a-1")
    #expect(
      NextStep(["load", "--tag", "it's; rm -rf ~"], machine: "web 01").commandLine
        == #"snapjob -m 'web 01' load --tag 'it'\''s; rm -rf ~'"#)
    #expect(
      NextStep("check", "'\u{301}; x").commandLine == #"snapjob check ''\''\#u{301}; x'"#)
    #expect(NextStep(["delete", "--tag", ""]).commandLine == "snapjob delete --tag ''")
  }

  @Test("What a terminal would obey is written as numbers")
  func unseen() {
    #expect(
      NextStep("check", "/a\n1'\\\u{1B}[2J\u{2028}").commandLine
        == #"snapjob check $'/a\0121\'\\\033[2J\342\200\250'"#)
  }

  @Test("The machine that is meant is named, the default one as well")
  func machine() {
    #expect(NextStep(["list"], machine: "default").commandLine == "snapjob -m default list")
    #expect(NextStep(["list"]).commandLine == "snapjob list")
  }

  @Test("A value that begins like an option is joined to its option")
  func dash() {
    #expect(NextStep.option("--tag", "-x") == ["--tag=-x"])
    #expect(NextStep.option("--tag", "x") == ["--tag", "x"])
  }

  /// Steps with whatever a name, a tag or a path can have.
  private static let steps = [
    NextStep("recover"), NextStep(["load", "--tag", "it's `snapjob list`; $(x)"], machine: "w`"),
    NextStep("delete", "--tag", ""), NextStep("check", "/a b/\\'`\n\u{301}"),
    NextStep(["recover"], machine: "m", catalog: "CATALOG"),
    NextStep(["list"], catalog: "/c d.sqlite"),
  ]

  @Test("A message is taken apart into what was put together", arguments: steps)
  func parts(step: NextStep) {
    #expect(NextStep.parts(of: "\(step)") == [.step(step)])
    #expect(
      NextStep.parts(of: "a `b` '\(step), \(step)\u{301}``")
        == [
          .prose("a `b` '"), .step(step), .prose(", "), .step(step), .prose("\u{301}``"),
        ])
  }

  @Test(
    "What is not, byte for byte, a step is prose",
    arguments: [
      "", "`", "``", "snapjob list", "`snapjob`", "`snapjob `", "`snapjob list", "`list`",
      "`snapjob  list`", "`snapjob 'list'`", "`snapjob list x\\`", "`snapjob list 'x`",
      "` snapjob list`", "`snapjob -m list`", "`snapjob \u{301}list`", "`\u{301}snapjob list`",
    ])
  func prose(text: String) {
    #expect(NextStep.parts(of: text) == (text.isEmpty ? [] : [.prose(text)]))
  }
}
