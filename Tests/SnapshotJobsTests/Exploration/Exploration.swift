@testable import SnapshotJobs

/// Explores every history of one commit X: the product's own machines of worker and recovery, in a world of
/// page caches, disks, a write-ahead log, and other programs.
///
/// **Images.** Each has a first sector in the page cache and one on the disk. An fsync that fails leaves the page
/// clean, on the disk or not; a clean page that is not on the disk may be dropped, and only another write
/// helps. Prepared data lie in free clusters, cached, durable, or lost. Whoever writes an image has its lock.
/// The last image may go away, or be held by somebody: its sector can be read then and its lock not be had.
///
/// **Catalog.** ``ModelLog`` says what of it survives what. A commit is one step with an end for each fault: it is
/// done, its process is killed before the fsync returns, the fsync fails, it fails without a trace. Nobody else
/// can tell these from two steps, for the catalog's own lock keeps other writers out and others do not see
/// what is not listed. A checkpoint may be kept from ending by a reader.
///
/// **Others.** Guests and tools write data, or data and header, and flush, whenever an image is plain and not
/// locked. A second catalog commits Y to the first image; it may be killed at each step, and recovers. Its
/// steps are durable at once.
///
/// **Faults.** Every process may be killed at each step, any number of times. A power loss keeps or loses each dirty
/// sector, each image's data, and any dirty frames of the log.
///
/// **What must hold** stands in ``check(_:)``, ``settle(_:)`` and ``put(_:at:of:by:in:)``. Not in here: torn
/// sectors, what clusters hold, network filesystems, and the bytes of the sectors.
final class Exploration {
  /// A history that must not be.
  struct Violation: CustomStringConvertible {
    let problem: String
    let trace: [String]

    var description: String {
      ([problem] + trace.map { "   \($0)" }).joined(separator: "\n")
    }
  }

  let scenario: Scenario
  var workers: WorkerBook
  var recoveries: RecoveryBook
  var logs = LogBook()
  /// Settled ends that were checked already.
  var settled = StateTable()
  /// What the step at hand has broken.
  var problem: String?
  private(set) var states = StateTable()
  private(set) var transitionCount = 0
  /// The first history that ends badly in the chain that the protocol leaves open.
  private(set) var openChain: Violation?
  private(set) var openChainCount = 0
  private(set) var violation: Violation?
  private var current = 0

  init(_ scenario: Scenario) {
    self.scenario = scenario
    workers = WorkerBook(
      memberCount: scenario.memberCount, waits: scenario.waits, tables: scenario.tables)
    recoveries = RecoveryBook(memberCount: scenario.memberCount, tables: scenario.tables)
  }

  /// What was explored, in one line.
  var summary: String {
    "\(states.count) states, \(transitionCount) transitions, "
      + (violation?.problem ?? "no violation, complete")
      + (openChainCount == 0 ? "" : ", \(openChainCount) in the chain that is left open")
  }

  /// Explores breadth-first, to the end or to the first violation.
  func run() {
    var start = ModelWorld()
    start.log = logs.number(of: scenario.startsWithHole ? .withHole : ModelLog(.none))
    _ = states.insert(start.packed, from: 0, by: 0)
    while current < states.count, violation == nil {
      step(ModelWorld(states[current]))
      current += 1
    }
  }

  private func step(_ world: ModelWorld) {
    workerSteps(world)
    for number in 0..<scenario.recoveries { recoverySteps(world, number) }
    if scenario.hasOtherCatalog { otherCatalogSteps(world) }
    if scenario.hasGuests { guestSteps(world) }
    cacheSteps(world)
    placeSteps(world)
    if world.powerLosses < scenario.powerLosses { powerLossSteps(world) }
    forceSteps(world)
    resolvingSteps(world)
  }

  /// A step leads to a state.
  func reach(_ reached: ModelWorld, _ event: ExplorationEvent) {
    guard violation == nil else { return }
    transitionCount += 1
    var world = reached
    if world.powerLosses == scenario.powerLosses {
      world.log = logs.withoutPowerLoss(world.log)
    }
    let isNew = states.insert(world.packed, from: current, by: event.packed)
    if problem == nil {
      guard isNew else { return }
      check(world)
      if problem == nil, isQuiet(world) { settle(world) }
    }
    guard let problem else { return }
    self.problem = nil
    let trace = (states.labels(to: current) + [event.packed]).map {
      ExplorationEvent(packed: $0).words
    }
    let found = Violation(problem: problem, trace: trace)
    if world.isInOpenChain {
      openChainCount += 1
      if openChain == nil { openChain = found }
    } else {
      violation = found
    }
  }
}
