import TestOracles
import Testing

/// The README's example of the library is a target of the package, so it is compiled with everything else.
@Suite("Library") struct LibraryTests {
  @Test("the README shows the program that is compiled")
  func readme() throws {
    let readme = try Command.run("cat", [Examples.path("README.md")]).text
    let source = try Command.run("cat", [Examples.path("Sources/FollowJob/main.swift")]).text
    #expect(readme.contains("```swift\n\(source)```\n"))
    #expect(source.split(separator: "\n").count <= 15)
  }

  @Test("it saves two disks and prints the job's way")
  func run() throws {
    let program = try Program()
    for disk in program.disks { try QemuImg.create(program.path(disk), size: "1M") }
    let lines = try program.followJob().text.split(separator: "\n")
    let statuses = try lines.map { try JSONValue(parsing: String($0))["data"]?["status"]?.string }
    #expect(statuses == ["created", "running", "waiting", "pending", "concluded"])
    #expect(try program.tags() == [["clean"], ["clean"]])
  }
}
