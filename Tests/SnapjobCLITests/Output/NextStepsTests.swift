import ArgumentParser
import QMP
import Testing

@testable import SnapjobCLI

@Suite struct NextStepsTests {
  /// The steps of messages behind these global options.
  private static func steps(
    _ options: [String], files: [String] = [], machine: String? = nil
  ) throws -> NextSteps {
    let globals = try GlobalOptions.parse(options)
    let environment = ["HOME": "/h", "SNAPJOB_MACHINE": machine ?? ""]
    return NextSteps(
      try Settings(globals, environment: environment, userID: 1000, host: Run.host), files: files)
  }

  @Test(
    "a step is about what the command line was about",
    arguments: [
      ([], "See: `snapjob node list`", "See: snapjob node list"),
      (["-m", "web01"], "See: `snapjob node list`", "See: snapjob -m web01 node list"),
      (["-m", "default"], "See: `snapjob list`", "See: snapjob list"),
      (
        ["--catalog", "c d", "-m", "w"],
        "Next: `snapjob job finalize a`, or: `snapjob save --tag T`.",
        "Next: snapjob --catalog '/work dir/c d' job finalize a, or: snapjob --catalog '/work dir/c d' -m w "
          + "save --tag T."
      ),
      (
        ["--connect", "unix:/s"], "To load it: `snapjob load --tag t`",
        "To load it: snapjob --connect unix:/s load --tag t"
      ),
      (
        ["--catalog", "/c"],
        "run `snapjob recover`), and `snapjob --catalog CATALOG recover` finishes it",
        "run snapjob --catalog /c recover), and snapjob --catalog CATALOG recover finishes it"
      ),
      (
        ["-m", "web01"], "It is snapjob's own; snapjob runs no programs. snapjob is shutting down",
        "It is snapjob's own; snapjob runs no programs. snapjob is shutting down"
      ),
      (["-m", "web01"], "`snapjob -m other list`", "snapjob -m other list"),
      (["-m", "web01"], "snapjob list", "snapjob list"),
      (["-m", "web01"], "`snapjob unknown`, `snapjob list", "`snapjob unknown`, `snapjob list"),
      (["-m", "w"], "`snapjob node add NODE /f`", "snapjob -m w node add NODE /f"),
      (["-m", "w"], "`snapjob bitmap clear /f b`", "snapjob bitmap clear /f b"),
      (["-m", "w"], "`snapjob check /f --repair all`", "snapjob check /f --repair all"),
      (
        ["--connect", "unix:/s"], "`snapjob list --file /f`, `snapjob check /f`",
        "snapjob list --file /f, snapjob --connect unix:/s check /f"
      ),
    ] as [([String], String, String)])
  func spelled(options: [String], message: String, expected: String) throws {
    let steps = try Self.steps(options)
    #expect(steps.spelled(in: message) == expected)
    #expect(steps.spelled(in: expected) == expected, "spelled twice")
  }

  @Test(
    "whichever machine the environment names, the one that is meant is",
    arguments: [
      ([], "web01", "`snapjob list`", "snapjob -m web01 list"),
      (["-m", "default"], "web01", "`snapjob list`", "snapjob -m default list"),
      (["-m", "default"], "web01", "`snapjob -m default list`", "snapjob -m default list"),
      (["-m", "default"], "", "`snapjob -m default list`", "snapjob list"),
      ([], "", "`snapjob -m default list`", "snapjob list"),
      (["-m", "db"], "web01", "`snapjob -m default list`", "snapjob -m default list"),
      (["-m", "db"], "web01", "`snapjob list --file /x`", "snapjob list --file /x"),
      (["--connect", "unix:/s"], "web01", "`snapjob list`", "snapjob --connect unix:/s list"),
      (
        ["--connect", "unix:/s", "-m", "db"], "", "`snapjob list`",
        "snapjob --connect unix:/s -m db list"
      ),
    ] as [([String], String, String, String)])
  func environment(
    options: [String], variable: String, message: String, expected: String
  ) throws {
    let steps = try Self.steps(options, machine: variable)
    #expect(steps.spelled(in: message) == expected)
  }

  @Test(
    "images stand for the machine where the command takes them",
    arguments: [
      ("See: `snapjob list`", "See: snapjob list --file /w/a.qcow2 '/w/b c'"),
      ("run `snapjob check`", "run snapjob check /w/a.qcow2 '/w/b c'"),
      ("`snapjob list --file /x`", "snapjob list --file /x"),
      ("`snapjob load --tag t --file /x`", "snapjob load --tag t --file /x"),
      (
        "`snapjob list`, or: `snapjob list --file /x`",
        "snapjob list --file /w/a.qcow2 '/w/b c', or: snapjob list --file /x"
      ),
      ("`snapjob job finalize j`", "snapjob job finalize j"),
      ("`snapjob node add NODE FILE`", "snapjob node add NODE FILE"),
    ])
  func files(message: String, expected: String) throws {
    let steps = try Self.steps([], files: ["/w/a.qcow2", "/w/b c"], machine: "web01")
    #expect(steps.spelled(in: message) == expected)
  }

  @Test("a message about another machine names that one") func about() throws {
    let steps = try Self.steps(["-m", "web01"])
    #expect(steps.about("db").spelled(in: "`snapjob list`") == "snapjob -m db list")
    #expect(steps.about("default").spelled(in: "`snapjob list`") == "snapjob list")
    #expect(steps.about(nil).spelled(in: "`snapjob list`") == "snapjob -m web01 list")
    let ambient = try Self.steps([], machine: "web01")
    #expect(ambient.about("default").spelled(in: "`snapjob list`") == "snapjob -m default list")
  }

  @Test("a message about one image names that one") func image() throws {
    let steps = try Self.steps(["-m", "web01"])
    let repair = "`snapjob check --repair all`"
    #expect(
      steps.about(image: "disk0").spelled(in: repair)
        == "snapjob -m web01 check disk0 --repair all")
    #expect(
      steps.about(image: "/a b").spelled(in: repair) == "snapjob check '/a b' --repair all")
  }

  @Test("a bitmap of an image is named by the image") func bitmap() throws {
    let steps = try Self.steps(["-m", "web01"]).about(image: "/a b")
    #expect(
      steps.spelled(in: "`snapjob bitmap repair a daily`") == "snapjob bitmap repair '/a b' daily")
  }

  @Test("a reply's sentences are spelled, each for its machine or image, and nothing else is")
  func replies() throws {
    let steps = try Self.steps(["-m", "web01"])
    let hint: QMPValue = "see `snapjob list`"
    let reply: QMPValue = [
      ["machine": "db", "error": hint, "tag": hint, "result": ["remarks": [hint]]],
      ["machine": .null, "error": hint], ["target": "/f", "result": ["messages": [hint]]],
    ]
    let db: QMPValue = "see snapjob -m db list"
    #expect(
      steps.spelled(in: reply)
        == [
          ["machine": "db", "error": db, "tag": hint, "result": ["remarks": [db]]],
          ["machine": .null, "error": "see snapjob -m web01 list"],
          ["target": "/f", "result": ["messages": ["see snapjob list --file /f"]]],
        ])
  }

  @Test("each command of the program can be recommended") func commands() {
    let names = SnapjobCommand.configuration.groupedSubcommands.flatMap(\.subcommands)
      .map { $0.configuration.commandName ?? "" }
    #expect(names.count > 15)
    let known = NextSteps.ofMachine.union(NextSteps.ofCatalog)
    // serve is what somebody else has started.
    #expect(Set(names).subtracting(known) == ["serve"])
  }

  @Test("a failure and a note are printed with their steps spelled") func printed() async throws {
    let run = Run()
    _ = await run("-m web01 job show nope --json")
    #expect(run.err.text.contains("See: snapjob -m web01 query-jobs --history"))
    #expect(try run.jsonLines().last?["error"]?.text("desc").contains("snapjob -m web01") == true)
  }
}
