import Testing

@testable import Jobs

@Suite struct NextStepTests {
  @Test("A step is quoted for a shell, and names the machine that is meant")
  func description() {
    #expect("\(NextStep(["job", "finalize", "a-1"]))" == "`snapjob job finalize a-1`")
    #expect(
      "\(NextStep(["load", "--tag", "it's; rm -rf ~"], machine: "web 01"))"
        == #"`snapjob -m 'web 01' load --tag 'it'\''s; rm -rf ~'`"#)
    #expect("\(NextStep("check", "'\u{301}; x"))" == #"`snapjob check ''\''\#u{301}; x'`"#)
    #expect("\(NextStep(["delete", "--tag", ""]))" == "`snapjob delete --tag ''`")
    #expect("\(NextStep(["list"], machine: "default"))" == "`snapjob -m default list`")
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
