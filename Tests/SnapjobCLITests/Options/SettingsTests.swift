import ArgumentParser
import Testing

@testable import SnapjobCLI

@Suite struct SettingsTests {
  private func settings(
    _ arguments: [String] = [], _ environment: [String: String] = [:], userID: UInt32 = 1000
  ) throws -> Settings {
    let globals = try GlobalOptions.parse(arguments)
    return try Settings(globals, environment: environment, userID: userID, host: Run.host)
  }

  @Test("the catalog's default place depends on the user and the environment") func places() throws
  {
    #expect(try settings(userID: 0).catalog == "/var/lib/snapjob/catalog.sqlite")
    #expect(
      try settings([], ["HOME": "/home/u"]).catalog
        == "/home/u/.local/state/snapjob/catalog.sqlite")
    #expect(
      try settings([], ["HOME": "/home/u", "XDG_STATE_HOME": "/state"]).catalog
        == "/state/snapjob/catalog.sqlite")
    #expect(
      try settings([], ["HOME": "/home/u", "XDG_STATE_HOME": "state"]).catalog
        == "/home/u/.local/state/snapjob/catalog.sqlite")
  }

  @Test("without a home there is no place for a catalog") func homeless() {
    #expect(throws: CommandFailure.self) { try settings() }
  }

  @Test("the command line wins over the environment, and that over defaults") func order() throws {
    let environment = [
      "SNAPJOB_CATALOG": "/e.db", "SNAPJOB_MACHINE": "e", "SNAPJOB_WAIT_LOCK": "2.5",
    ]
    let fromEnvironment = try settings([], environment)
    #expect(fromEnvironment.catalog == "/e.db")
    #expect(fromEnvironment.machine == "e")
    #expect(!fromEnvironment.namesMachine)
    #expect(fromEnvironment.lockPatience == .milliseconds(2500))
    let options = ["--catalog", "c.db", "-m", "c", "--wait-lock", "7"]
    let fromLine = try settings(options, environment)
    #expect(fromLine.catalog == "/work dir/c.db")
    #expect(fromLine.machine == "c")
    #expect(fromLine.namesMachine)
    #expect(fromLine.lockPatience == .seconds(7))
    let empty = ["SNAPJOB_MACHINE": "", "SNAPJOB_WAIT_LOCK": "", "SNAPJOB_CATALOG": ""]
    let defaults = try settings([], empty, userID: 0)
    #expect(defaults.machine == "default")
    #expect(defaults.lockPatience == .zero)
  }

  @Test("a server has a catalog and a patience of its own") func connection() throws {
    #expect(try settings([], ["HOME": "/h"]).connection == nil)
    let environment = ["HOME": "/h", "SNAPJOB_CONNECT": "unix:/e", "SNAPJOB_WAIT_LOCK": "2"]
    #expect(try settings([], environment).connection == "unix:/e")
    #expect(try settings(["--connect", "tcp:h:1"], environment).connection == "tcp:h:1")
    for words in [["--catalog", "/c"], ["--wait-lock", "1"]] {
      let failure = #expect(throws: CommandFailure.self) {
        try settings(words + ["--connect", "unix:/x"], environment)
      }
      #expect(failure?.status == .usage && failure?.message.contains(words[0]) == true)
    }
  }

  @Test(
    "bad values in the environment are wrong usage",
    arguments: [("SNAPJOB_WAIT_LOCK", "soon")])
  func bad(name: String, value: String) throws {
    let failure = #expect(throws: CommandFailure.self) {
      try settings([], ["HOME": "/h", name: value])
    }
    #expect(failure?.status == .usage)
    #expect(failure?.message.contains(name) == true)
  }
}
