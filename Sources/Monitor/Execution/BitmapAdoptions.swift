import SnapshotJobs

/// Which changes of bitmaps belong to which snapshot job of a transaction.
///
/// A change on a disk of a job is committed with the job: the nearest one before it, else the first one behind
/// it.
struct BitmapAdoptions {
  /// Changes that come before what a job does, by the job's place among the actions.
  private var earlier: [Int: [BitmapAction]] = [:]
  /// Changes that come after it.
  private var later: [Int: [BitmapAction]] = [:]
  private var adopted: Set<Int> = []

  init(_ actions: [Transaction.Action]) {
    var jobs: [(index: Int, devices: [String])] = []
    for (index, action) in actions.enumerated() {
      if case .job(let request, _) = action { jobs.append((index, request.devices)) }
    }
    for (index, action) in actions.enumerated() {
      guard case .bitmap(_, let bitmapAction) = action else { continue }
      let owners = jobs.filter { $0.devices.contains(bitmapAction.node) }
      if let owner = owners.last(where: { $0.index < index }) {
        later[owner.index, default: []].append(bitmapAction)
      } else if let owner = owners.first {
        earlier[owner.index, default: []].append(bitmapAction)
      } else {
        continue
      }
      adopted.insert(index)
    }
  }

  /// Whether the action at a place belongs to a job.
  func isAdopted(_ index: Int) -> Bool { adopted.contains(index) }

  /// The request of the job at a place, with the changes of bitmaps that belong to it.
  func complete(_ request: SnapshotRequest, at index: Int) -> SnapshotRequest {
    var request = request
    request.earlierBitmapActions = earlier[index]
    if let later = later[index] {
      request.laterBitmapActions = (request.laterBitmapActions ?? []) + later
    }
    return request
  }
}
