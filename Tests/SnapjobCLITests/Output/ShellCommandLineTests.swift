import Testing

@testable import SnapjobCLI

@Suite struct ShellCommandLineTests {
  @Test("Words are quoted for a shell where they need it")
  func quoting() {
    #expect("\(ShellCommandLine(["job", "finalize", "a-1"]))" == "snapjob job finalize a-1")
    #expect("\(ShellCommandLine(["load", "it's", ""]))" == #"snapjob load 'it'\''s' ''"#)
  }

  @Test("What a terminal would obey is written as numbers")
  func unseen() {
    #expect(
      "\(ShellCommandLine(["check", "/a\n1'\\\u{1B}[2J\u{2028}"]))"
        == #"snapjob check $'/a\0121\'\\\033[2J\342\200\250'"#)
  }
}
