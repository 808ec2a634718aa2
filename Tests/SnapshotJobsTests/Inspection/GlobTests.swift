import SnapshotJobs
import TestOracles
import Testing

@Suite struct GlobTests {
  private static let patterns = [
    "*", "?", "nightly-*", "*-3", "n*t*", "a?c", "[abc]x", "[!abc]x", "[^abc]x", "[a-c]?", "[]x]",
    "[!]x]", "[a", "a[", "\\*", "a\\?", "**", "", "*a*b*c", "[a-]", "[-a]", "é*", "x[0-9][0-9]",
    "[\\]]", "[a\\-c]",
  ]
  private static let texts = [
    "", "a", "abc", "nightly-1", "nightly-", "night", "day-3", "-3", "ax", "bx", "dx", "]", "x",
    "[a", "a[", "*", "a?", "aXbXc", "aabbc", "-", "été", "x07", "x7", "not", "nt", "a\nb", "b",
  ]

  @Test("Patterns fit what they fit in a shell", arguments: patterns)
  func likeTheShell(pattern: String) throws {
    let script =
      "p=$1; shift; for t; do case \"$t\" in $p) echo yes;; *) echo no;; esac; done"
    let result = try Command.run("bash", ["-c", script, "bash", pattern] + Self.texts)
    let expected = result.text.split(separator: "\n").map { $0 == "yes" }
    #expect(Self.texts.map(Glob(pattern).matches) == expected)
  }

  @Test("Many stars take no time that grows with their number") func stars() {
    let text = String(repeating: "a", count: 2000)
    #expect(!Glob(String(repeating: "*a", count: 200) + "b").matches(text))
    #expect(Glob(String(repeating: "*a", count: 200)).matches(text))
  }
}
