import Glibc
import Testing

@testable import SnapjobCLI

@Suite("Counts of signals") struct SignalCountTests {
  private let start = ContinuousClock.now

  private func time(_ milliseconds: Int) -> ContinuousClock.Instant {
    start + .milliseconds(milliseconds)
  }

  @Test("the same signal within an instant is the same request, as timeout sends it")
  func echo() {
    var count = SignalCount()
    #expect(count.add(SIGINT, at: time(0)) == 1)
    // What takes long to handle has its echo all the same.
    count.noteHandled(SIGINT, at: time(2000))
    #expect(count.add(SIGINT, at: time(2001)) == nil)
    #expect(count.add(SIGINT, at: time(2149)) == nil)
    #expect(count.add(SIGINT, at: time(2150)) == 2)
  }

  @Test("another signal is another request") func others() {
    var count = SignalCount()
    #expect(count.add(SIGTERM, at: time(0)) == 1)
    count.noteHandled(SIGTERM, at: time(0))
    #expect(count.add(SIGHUP, at: time(0)) == 2)
  }

  @Test("who takes the signals next counts from one, and hears no echo of what came before")
  func restart() {
    var count = SignalCount()
    #expect(count.add(SIGINT, at: time(0)) == 1)
    count.noteHandled(SIGINT, at: time(0))
    count.restart()
    #expect(count.add(SIGINT, at: time(1)) == nil)
    #expect(count.add(SIGINT, at: time(1000)) == 1)
  }
}
