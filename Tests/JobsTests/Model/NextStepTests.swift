import Testing

@testable import Jobs

@Suite struct NextStepTests {
  @Test("A step is one line for a shell, whatever its words have in them")
  func quoting() {
    #expect(NextStep(["job", "finalize", "a-1"]).description == "snapjob job finalize a-1")
    #expect(
      NextStep(["load", "--tag", "it's; rm -rf ~"], machine: "web 01").description
        == #"snapjob -m 'web 01' load --tag 'it'\''s; rm -rf ~'"#)
    #expect(NextStep(["delete", "--tag", ""]).description == "snapjob delete --tag ''")
  }

  @Test("The machine that is meant is named, the default one as well")
  func machine() {
    #expect(NextStep(["list"], machine: "default").description == "snapjob -m default list")
    #expect(NextStep(["list"]).description == "snapjob list")
  }

  @Test("A value that begins like an option is joined to its option")
  func dash() {
    #expect(NextStep.option("--tag", "-x") == ["--tag=-x"])
    #expect(NextStep.option("--tag", "x") == ["--tag", "x"])
  }
}
