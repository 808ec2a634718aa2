import Jobs
import Testing

@testable import JobCatalog

@Suite struct CatalogLocationTests {
  @Test func theOptionIsAboveTheEnvironment() throws {
    #expect(
      try Catalog.location(option: "/o", environment: ["SNAPJOB_CATALOG": "/e"], uid: 0) == "/o")
    #expect(
      try Catalog.location(environment: ["SNAPJOB_CATALOG": "/e", "HOME": "/h"], uid: 1) == "/e")
  }

  @Test func rootHasTheSystemsCatalog() throws {
    let path = "/var/lib/snapjob/catalog.sqlite"
    #expect(try Catalog.location(environment: [:], uid: 0) == path)
    #expect(
      try Catalog.location(environment: ["XDG_STATE_HOME": "/x", "HOME": "/root"], uid: 0) == path)
  }

  @Test func usersHaveTheirStateDirectory() throws {
    #expect(
      try Catalog.location(environment: ["XDG_STATE_HOME": "/x", "HOME": "/h"], uid: 7)
        == "/x/snapjob/catalog.sqlite")
    #expect(
      try Catalog.location(environment: ["HOME": "/h"], uid: 7)
        == "/h/.local/state/snapjob/catalog.sqlite")
  }

  @Test func emptyAndRelativeVariablesCountAsMissing() throws {
    let environment = ["SNAPJOB_CATALOG": "", "XDG_STATE_HOME": "relative", "HOME": "/h"]
    #expect(
      try Catalog.location(environment: environment, uid: 7)
        == "/h/.local/state/snapjob/catalog.sqlite")
  }

  @Test func aUserWithoutAHomeDirectoryIsTold() {
    let error = failure { _ = try Catalog.location(environment: [:], uid: 4_000_000_007) }
    #expect(error?.kind == .usage)
    #expect(error?.message.contains("--catalog") == true)
  }

  @Test(arguments: [
    ("/home/u/c", "nfs4"), ("/home", "nfs4"), ("/homes/c", nil), ("/", nil), ("/srv/a b/c", "cifs"),
    ("/mnt/ssh/c", "fuse.sshfs"), ("/mnt/local/c", nil), ("/home/u/disk/c", nil),
    ("/over/c", "9p"), ("/shared/c", "virtiofs"),
  ])
  func networkFilesystemsAreToldFromLocalOnes(path: String, type: String?) {
    let mounts = #"""
      21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
      30 21 0:40 / /home rw,relatime shared:5 master:1 - nfs4 server:/home rw,vers=4.2
      31 21 0:41 / /srv/a\040b rw - cifs //server/share rw
      32 21 0:42 / /mnt/ssh rw - fuse.sshfs u@h:/ rw
      33 21 0:43 / /mnt/local rw - fuse.fuse-overlayfs overlay rw
      34 30 8:2 / /home/u/disk rw - xfs /dev/sdb1 rw
      35 21 0:44 / /over rw - tmpfs tmpfs rw
      36 35 0:45 / /over rw - 9p share rw
      37 21 0:46 / /shared rw,relatime - virtiofs tag rw
      a line that is none
      """#
    #expect(NetworkFilesystem.type(at: path, mounts: mounts) == type)
  }

  @Test func theTemporaryDirectoryOfThisTestIsLocal() throws {
    #expect(NetworkFilesystem.type(at: try TemporaryCatalog().directory) == nil)
  }
}
