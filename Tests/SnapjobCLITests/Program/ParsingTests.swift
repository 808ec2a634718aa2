import ArgumentParser
import QMP
import Testing

@testable import SnapjobCLI

@Suite struct ParsingTests {
  @Test(
    "the command lines of the contract are understood",
    arguments: [
      "machine add web01", "machine add web01 --disk root=/a.qcow2 --disk b.qcow2",
      "machine list", "machine show", "machine show web01", "machine remove web01",
      "machine set web01 --exclude swap --vmstate root --rename a=b --file a=/x.qcow2",
      "node add disk0 a.qcow2", "node add disk0 a.qcow2 --read-only",
      "node create disk0 a.qcow2 --size 10G --cluster-size 64k", "node list", "node list -A",
      "node remove disk0", "save --tag x", "create --tag x",
      "save --tag x --device disk0 --device disk1 --vmstate disk1 --disk-only --exist-ok",
      "save --tag x --replace --job-id j1 --detach --auto-dismiss --note why --dry-run",
      "save --tag x --no-auto-finalize --finalize-timeout 30", "save --tag x --file a b",
      "load --tag x", "apply --tag x -y", "load --tag x --save-current y --yes --vmstate disk0",
      "delete --tag a b c --missing-ok --yes", "delete --tag a --tag b -y",
      "delete --tag a --file x y", "list", "list --device disk0", "list --file a b",
      "list --all-machines", "query-jobs", "jobs --history -A", "job show j1", "job log j1",
      "job cancel j1", "job pause j1", "job resume j1", "job finalize j1", "job dismiss j1 j2",
      "job dismiss --all", "job dismiss --all -A", "job wait j1 j2 --timeout 5", "watch",
      "watch --job j1", "watch -A",
      "check", "check disk0 ./x.qcow2", "verify", "verify disk0 ./x.qcow2",
      "verify --tag x", "recover",
      "recover --dry-run", "recover --forward", "recover j1 --forward", "recover j1 --abandon -y",
      "recover --abandon --file a b", "catalog path", "catalog check", "catalog backup b.sqlite",
      "qmp query-jobs", "qmp snapshot-save {}", "bitmap list", "bitmap list disk0",
      "bitmap show disk0 daily --json", "bitmap add disk0 daily --granularity 4k --disabled",
      "bitmap remove disk0 daily", "bitmap clear ./a.qcow2 daily", "bitmap enable disk0 daily",
      "bitmap disable disk0 daily", "bitmap repair disk0 daily",
      "bitmap merge disk0 weekly daily disk1/daily", "load --tag x --strict-bitmaps",
      "save --tag x --clear-bitmap daily --clear-bitmap disk0/weekly",
    ])
  func accepted(line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    let command = try SnapjobCommand.parseAsRoot(words)
    #expect(command is any Verb)
  }

  @Test(
    "other command lines are wrong usage",
    arguments: [
      "", "frobnicate", "save", "save --tag a --tag b", "load --tag a --tag b", "save --tag",
      "save --tag x --exist-ok --replace",
      "save --tag x --finalize-timeout 3", "save --tag x --device a --file b",
      "save --tag x extra", "delete", "delete --tag", "node add disk0", "node create d f",
      "node create d f --size ten", "job", "job show", "job dismiss", "job dismiss j1 --all",
      "job dismiss j1 -A",
      "job wait", "job wait j1 --timeout soon", "recover --abandon",
      "recover j1 --forward --abandon", "machine set web01", "machine add", "list --size", "diff",
      "diff --from a",
      "prune", "prune --match *", "prune --keep-last 2", "prune --match * --keep-last 0",
      "prune --match= --keep-last 2", "prune --match * --keep-last=-1",
      "prune --match * --keep-last -1",
      "--progress loud list", "-q -v list", "save --tag x --file", "--wait-lock -1 list",
      "--connect unix:/x --catalog c list", "qmp query-jobs notjson", "qmp query-jobs []",
      "bitmap", "bitmap show disk0", "bitmap add disk0", "bitmap merge disk0 weekly",
      "bitmap add disk0 daily --granularity much", "bitmap remove disk0",
      "check --repair some", "list --file a -A", "-m web01 save --tag x --file a",
      "--catalog= list",
    ])
  func refused(line: String) async {
    let run = Run()
    #expect(await run(line) == .usage)
    #expect(run.out.text.isEmpty)
    #expect(!run.err.text.isEmpty)
    #expect(run.endpoint.calls.isEmpty)
  }

  @Test(
    "global options are accepted before, between and after the words of a command",
    arguments: [
      "--json -m web01 --catalog /c.db --wait-lock 5 job show j1",
      "job --json -m web01 --catalog /c.db --wait-lock 5 show j1",
      "job show --json -m web01 --catalog /c.db --wait-lock 5 j1",
      "job show j1 --json --machine=web01 --catalog=/c.db --wait-lock=5",
      "--json job -m web01 show j1 --catalog /c.db --wait-lock 5",
    ])
  func globals(line: String) async throws {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-query-jobs", with: [["id": "j1"]])
    #expect(await run(line) == .done)
    #expect(run.out.text == "{\"id\": \"j1\"}\n")
    let request = try #require(run.door.requests.first)
    #expect(request.machine == "web01")
    #expect(request.catalog == "/c.db")
    #expect(request.lockPatience == .seconds(5))
  }

  @Test("a tag may begin with a dash when it is joined to its option") func dashedTag() async {
    let run = Run()
    #expect(await run("save --tag=-x") == .done)
    #expect(run.endpoint.arguments(of: "snapshot-save")?.text("tag") == "-x")
  }

  @Test("a number of snapshots to keep below 1 is refused as such, with or without =")
  func keepLast()
    async
  {
    for count in [" -1", "=-1", " 0"] {
      let run = Run()
      #expect(await run("prune --match * --keep-last\(count)") == .usage)
      #expect(run.err.text.contains("--keep-last takes a number of 1 or more"))
    }
  }

  @Test("wrong usage with --json is told on stdout too") func usageJSON() async throws {
    let run = Run()
    #expect(await run("save --json") == .usage)
    let error = try #require(try run.jsonLines().last?["error"])
    #expect(error.integer("exit-code") == 64)
    #expect(error.text("desc") == "Missing expected argument '--tag <tag>'")
    #expect(run.err.text.hasPrefix("snapjob: Missing expected argument '--tag <tag>'\n"))
  }

  @Test("help of the program and of every command has an example and goes to stdout") func help()
    async
  {
    for line in ["--help", "help", "save --help", "help job wait", "qmp -h"] {
      let run = Run()
      #expect(await run(line) == .done)
      #expect(run.out.text.contains("snapjob "))
      #expect(run.err.text.isEmpty)
    }
    for verb in Self.verbs {
      let discussion = verb.configuration.discussion
      #expect(discussion.contains("snapjob "), "\(verb) shows no example")
    }
  }

  /// Every command that does something.
  private static var verbs: [any ParsableCommand.Type] {
    func leaves(_ type: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
      let below = type.configuration.subcommands
      return below.isEmpty ? [type] : below.flatMap(leaves)
    }
    return leaves(SnapjobCommand.self)
  }

  @Test("what is not for people is not shown in help") func hidden() async {
    let words = ["--x-detached"]
    for line in ["--help", "list --help", "check --help", "machine add --help", "save --help"] {
      let run = Run()
      _ = await run(line)
      for word in words { #expect(!run.out.text.contains(word), "\(word) in \(line)") }
    }
  }

  @Test("the version names program, JSON and catalog schema") func version() async throws {
    let text = Run()
    #expect(await text("--version") == .done)
    #expect(text.out.lines.count == 3)
    #expect(text.out.text.hasPrefix("snapjob "))
    for line in ["--version --json", "--json --version"] {
      let json = Run()
      #expect(await json(line) == .done)
      let value = try #require(try json.jsonLines().first)
      #expect(value.members.map(\.name) == ["program", "json", "catalog-schema"])
    }
  }

  @Test("completion scripts are made for each shell", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) async {
    let run = Run()
    #expect(await run("--generate-completion-script \(shell)") == .done)
    #expect(run.out.text.contains("query-jobs"))
  }
}
