import Dispatch
import Glibc
import Synchronization
import TestOracles

/// Many scenarios, several at once, counted in one table.
final class Campaign: Sendable {
  /// How much is tried; by the environment.
  struct Extent: Sendable {
    /// Another number of states for each scenario, whatever the environment says.
    var fixedStateCount: Int?

    /// `SNAPJOB_CRASH=long` chooses the long form, `SNAPJOB_CRASH_SEED` other states,
    /// `SNAPJOB_CRASH_STATES` another number of states for each scenario.
    var isLong: Bool { variable("SNAPJOB_CRASH") == "long" }
    /// Whether everything is tried that the figures of the long form are about.
    var isComplete: Bool {
      isLong && ["SNAPJOB_CRASH_ONLY", "SNAPJOB_CRASH_STATES"].allSatisfy { variable($0) == nil }
    }
    var seed: UInt64 { variable("SNAPJOB_CRASH_SEED").flatMap(UInt64.init) ?? 1 }
    /// How many states of a scenario are tried.
    func stateCount(of scenario: Scenario) -> Int {
      if let fixedStateCount { return fixedStateCount }
      if let count = variable("SNAPJOB_CRASH_STATES").flatMap(Int.init) { return count }
      guard isLong else { return 30 }
      // Images of megabytes take ten times as long.
      return scenario.format == .clusters2M ? 120 : 480
    }
    /// How often the real program is killed.
    var killCount: Int { variable("SNAPJOB_CRASH_KILLS").flatMap(Int.init) ?? (isLong ? 500 : 20) }
    /// Every so many distinct images the content is read by qemu-img as well.
    var convertInterval: Int { isLong ? 16 : 8 }
    var threadCount: Int { 2 }

    /// A part of the scenarios, by words of their descriptions (`SNAPJOB_CRASH_ONLY`, separated by commas).
    var scenarios: [Scenario] {
      let chosen = isLong ? Scenario.all : Self.sample
      guard let words = variable("SNAPJOB_CRASH_ONLY")?.split(separator: ",") else { return chosen }
      return Scenario.all.filter { scenario in
        words.contains { scenario.description.contains($0) }
      }
    }

    /// Each operation and each format once, on changing numbers of disks.
    private static var sample: [Scenario] {
      var known: Set<String> = []
      return Scenario.all.sorted { $0.diskCount * 7 % 5 < $1.diskCount * 7 % 5 }.filter {
        scenario in
        let keys = [Scenario.row(scenario.operation), Scenario.row(scenario.format)]
        return !known.isSuperset(of: keys) && known.formUnion(keys) == ()
      }
    }

    private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
  }

  let tally = Tally()
  private let failures = Mutex<[String]>([])
  private let queue: Mutex<[Scenario]>
  private let extent: Extent
  private let protection: Protection
  private let focus: Focus
  private let stopsAtDamage: Bool

  /// A campaign that has not begun.
  ///
  /// - Parameters:
  ///   - scenarios: what is tried.
  ///   - extent: how much of it.
  ///   - protection: the commit protocol that is tried.
  ///   - focus: which of all that can go wrong is tried.
  ///   - stopsAtDamage: whether the first damage is enough.
  init(
    _ scenarios: [Scenario], _ extent: Extent = Extent(), protection: Protection = Protection(),
    focus: Focus = Focus(), stopsAtDamage: Bool = false
  ) {
    queue = Mutex(scenarios.reversed())
    self.extent = extent
    self.protection = protection
    self.focus = focus
    self.stopsAtDamage = stopsAtDamage
    CatalogRecorder.start()
  }

  /// What could not be tried, and why.
  var obstacles: [String] { failures.withLock { $0 } }

  /// Tries all scenarios; returns when that is done.
  func run() async {
    await withTaskGroup { group in
      for _ in 0..<extent.threadCount {
        group.addTask {
          await withCheckedContinuation { continuation in
            // Everything here blocks: it has threads of its own.
            DispatchQueue(label: "snapjob.crash").async { [self] in
              work()
              continuation.resume()
            }
          }
        }
      }
    }
  }

  private func work() {
    while !(stopsAtDamage && tally.damageCount > 0),
      let scenario = queue.withLock({ $0.popLast() })
    {
      let clock = ContinuousClock()
      let start = clock.now
      do {
        let seed = extent.seed &* 1_000_003 &+ UInt64(Scenario.all.firstIndex(of: scenario) ?? 0)
        try Trial(
          scenario, protection: protection, focus: focus, tally: tally, seed: seed,
          convertInterval: extent.convertInterval, stopsAtDamage: stopsAtDamage
        ).run(stateCount: extent.stateCount(of: scenario))
      } catch {
        failures.withLock { $0.append("\(scenario): \(error)") }
      }
      if extent.isLong {
        print("\(scenario): \(clock.now - start)")
        fflush(nil)
      }
    }
  }
}
