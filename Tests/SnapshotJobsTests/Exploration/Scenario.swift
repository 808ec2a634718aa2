@testable import SnapshotJobs

/// What an exploration lets happen.
struct Scenario: Sendable, CustomStringConvertible {
  /// How many images the commit changes: 1 or 2.
  var memberCount = 2
  /// Whether the job waits for somebody to finalize it.
  var waits = false
  /// At most so many power losses.
  var powerLosses: UInt8 = 1
  /// At most so many failed fsyncs and writes.
  var failures: UInt8 = 1
  /// How many recoveries may be at work at once: 1 or 2.
  var recoveries = 1
  /// Whether a second catalog commits to the first image.
  var hasOtherCatalog = false
  /// Whether the last image may go away and come back.
  var mayBeAway = true
  /// Whether somebody may hold the last image: its sector can be read then and its lock not be had.
  var mayBeHeld = true
  /// Whether guests and other tools write to images that are plain and not locked.
  var hasGuests = true
  /// Whether rows with nothing left to do and all members confirmed are forgotten: the strict base.
  var prunes = true
  /// Whether whole frames that were never listed may come back when the log's index is rebuilt.
  var rebuildsIndex = true
  /// Whether a recovery can be interrupted between any two steps, not only around those that others can see.
  var isFineGrained = false
  /// Whether the two images may get each other's path.
  var swapsNames = false
  /// Whether the catalog may be put back from a copy made between intent and record.
  var restoresCatalog = false
  /// Whether one image alone may be killed between a failed fsync and the fence after it.
  var leavesChainOpen = true

  // MARK: The product

  /// The protocol.
  var tables = CommitTables()
  /// Whether the first image has no fence that keeps others out.
  var leavesFirstUnfenced = false
  /// Whether a mark keeps the id that another catalog wrote before.
  var keepsOthersMark = ModelSector.productKeepsOthers
  /// Whether what makes decisions durable begins the log anew behind its checkpoint.
  var checkpointRestarts = true
  /// Whether "undone" is made durable by recovery when it is read.
  var securesUndone = true
  /// Whether the log has a frame from the start that never reached the disk.
  var startsWithHole = false
  /// Whether a worker that cannot be sure of the log makes it durable before its intent.
  var securesBeforeIntent = true

  var description: String {
    var words = [
      "\(memberCount) \(memberCount == 1 ? "image" : "images")", "\(powerLosses) power losses",
      "\(failures) failures", "\(recoveries) recoveries",
    ]
    if waits { words.append("waiting") }
    if hasOtherCatalog { words.append("second catalog") }
    if mayBeAway { words.append("away") }
    if mayBeHeld { words.append("held") }
    if swapsNames { words.append("swapped names") }
    if restoresCatalog { words.append("old catalog") }
    if startsWithHole { words.append("hole in the log") }
    if !prunes { words.append("rows kept") }
    if isFineGrained { words.append("each step") }
    return words.joined(separator: ", ")
  }
}
