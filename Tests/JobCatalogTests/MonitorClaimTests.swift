import Glibc
import Jobs
import Testing

@testable import JobCatalog

@Suite struct MonitorClaimTests {
  let home: TemporaryCatalog

  init() throws { home = try TemporaryCatalog() }

  @Test func aMonitorIsClaimedByOneAtATime() throws {
    let first = try home.open()
    let second = try home.open()
    guard case .granted(let claim) = try first.claimMonitor(at: "unix:/run/vm1") else {
      return #expect(Bool(false), "a free monitor was not granted")
    }
    for catalog in [first, second] {
      guard case .taken(let pid, let path) = try catalog.claimMonitor(at: "unix:/run/vm1") else {
        return #expect(Bool(false), "a monitor was granted twice")
      }
      #expect(pid == getpid())
      #expect(path == claim.sharingPath)
      guard case .granted = try catalog.claimMonitor(at: "unix:/run/vm2") else {
        return #expect(Bool(false), "monitors are not claimed for themselves")
      }
    }
    claim.release()
    guard case .granted = try second.claimMonitor(at: "unix:/run/vm1") else {
      return #expect(Bool(false), "a released monitor was not granted")
    }
  }
}
