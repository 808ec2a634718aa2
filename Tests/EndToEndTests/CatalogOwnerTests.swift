import Glibc
import TestOracles
import Testing

/// One catalog and two users.
@Suite("A user's catalog and root") struct CatalogOwnerTests {
  @Test(
    "root is refused a user's catalog with code 11, and the user's own use goes on",
    .enabled(if: geteuid() == 0, "only root can be another user than the owner"))
  func userAndRoot() throws {
    let program = try Program()
    let place = program.path("theirs")
    try Command.run("mkdir", [place])
    try QemuImg.create("\(place)/disk.qcow2", size: "1M")
    try Command.run("chown", ["-R", "nobody", place])
    try Command.run("chmod", ["755", program.directory.path])
    let catalog = "SNAPJOB_CATALOG=\(place)/catalog.sqlite"
    func asRoot(_ tag: String) throws -> CommandResult {
      try program.shell("\(catalog) snapjob save --tag \(tag) --file \(place)/disk.qcow2")
    }
    func asUser(_ tag: String) throws -> CommandResult {
      try program.shell(
        "\(catalog) setpriv --reuid=nobody --regid=nogroup --clear-groups "
          + "snapjob save --tag \(tag) --file \(place)/disk.qcow2")
    }
    let first = try asRoot("a")
    #expect(first.status == 11)
    #expect(first.standardError.contains("belongs to user nobody"))
    #expect(try Command.run("ls", ["-A", place]).text == "disk.qcow2\n")
    let own = try asUser("b")
    #expect(own.status == 0, "\(own.standardError)")
    #expect(try asRoot("c").status == 11)
    let again = try asUser("d")
    #expect(again.status == 0, "\(again.standardError)")
    #expect(try QemuImg.snapshotNames("\(place)/disk.qcow2") == ["b", "d"])
    let owners = try Command.run("stat", ["-c", "%U", place]).text
    #expect(owners == "nobody\n")
    let others = try Command.run("find", [place, "!", "-user", "nobody"]).text
    #expect(others.isEmpty)
  }
}
