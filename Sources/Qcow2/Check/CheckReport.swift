/// What a check of an image's metadata found, counted as `qemu-img check` counts (`ImageCheck` of
/// qapi/block-core.json).
public struct CheckReport: Sendable, Hashable {
  /// Contradictions that can lose data: clusters in use with too low a count, COPIED flags that are
  /// wrong, entries that no valid image has.
  public internal(set) var corruptions = 0
  /// Clusters that are counted as used more often than they are: wasted space, no danger.
  public internal(set) var leaks = 0
  /// What could not be looked at; the other numbers are incomplete then.
  public internal(set) var checkErrors = 0
  /// Of a repair: leaks that are gone.
  public internal(set) var leaksFixed = 0
  /// Of a repair: corruptions that are gone.
  public internal(set) var corruptionsFixed = 0
  /// Clusters of the disk.
  public internal(set) var totalClusters = 0
  /// Clusters of the active state that have a place in the file.
  public internal(set) var allocatedClusters = 0
  /// Clusters of the active state that do not follow the one before them; all compressed ones.
  public internal(set) var fragmentedClusters = 0
  /// Clusters of the active state that are compressed.
  public internal(set) var compressedClusters = 0
  /// The first byte of the file behind all clusters that are in use or counted as such.
  public internal(set) var imageEndOffset: UInt64 = 0
  /// The first findings as sentences, in qemu-img's words where it has some; at most
  /// ``messageLimit``.
  public internal(set) var messages: [String] = []

  /// What is to be said besides the findings.
  public internal(set) var remarks: [Remark] = []

  /// A sentence that is no finding.
  public struct Remark: Sendable, Hashable {
    /// The sentence.
    public let text: String
    /// What helps; nil for nothing.
    public let advice: Advice?

    init(_ text: String, _ advice: Advice?) {
      self.text = text
      self.advice = advice
    }
  }

  /// How many findings are kept as sentences.
  public static let messageLimit = 1000

  /// The exit code of `qemu-img check`: 0 clean, 1 could not be checked, 2 corruptions, 3 leaks only.
  ///
  /// An image that cannot be opened for the check has no report; see ``exitCode(for:)``.
  public var exitCode: Int32 {
    if checkErrors > 0 { return 1 }
    if corruptions > 0 { return 2 }
    return leaks > 0 ? 3 : 0
  }

  /// The exit code where opening or checking an image threw: 63 for a file that is no qcow2 image
  /// (qemu-img takes it for raw, which has no check), 1 for everything else.
  public static func exitCode(for error: Qcow2Error) -> Int32 { error.code == .notQcow2 ? 63 : 1 }
}

/// Findings while they are collected.
struct CheckFindings {
  /// What has been found.
  private(set) var report = CheckReport()
  /// The first of what a repair cannot mend; nil if it can mend all. Where there is such a thing, nobody
  /// knows what it has led to: anything may be that, and nothing is repaired.
  private(set) var firstLasting: String?
  /// Those that are about COPIED flags.
  private(set) var wrongFlagCount = 0
  /// Sentences about COPIED flags, which come behind the others as qemu-img has them.
  private var flagMessages: [String] = []

  /// Notes a corruption.
  ///
  /// - Parameters:
  ///   - message: the sentence.
  ///   - times: how often it is met: a table that several trees share counts for each.
  ///   - isMendable: whether new refcounts, flags and snapshot entries make it good.
  mutating func corrupt(
    _ message: @autoclosure () -> String, times: Int = 1, isMendable: Bool = false
  ) {
    guard times > 0 else { return }
    report.corruptions += times
    if !isMendable, firstLasting == nil { firstLasting = message() }
    note(message())
  }

  /// Notes something that leads behind the end of the file; qemu-img counts it as nothing.
  mutating func leadsNowhere(_ message: @autoclosure () -> String) {
    firstLasting = firstLasting ?? message()
  }

  /// Notes a COPIED flag that is wrong.
  mutating func wrongFlag(_ message: @autoclosure () -> String, times: Int = 1) {
    report.corruptions += times
    wrongFlagCount += times
    if flagMessages.count < CheckReport.messageLimit { flagMessages.append(message()) }
  }

  /// Notes a cluster with too high a count.
  mutating func leak(_ message: @autoclosure () -> String) {
    report.leaks += 1
    note(message())
  }

  /// Notes a refcount that could not be looked at; a repair counts it anew.
  mutating func unknownRefcount(_ message: @autoclosure () -> String) {
    report.checkErrors += 1
    note(message())
  }

  /// Notes something that leads to more clusters and could not be looked at.
  mutating func failure(_ message: String) {
    report.checkErrors += 1
    firstLasting = firstLasting ?? message
    note(message)
  }

  private mutating func note(_ message: @autoclosure () -> String) {
    if report.messages.count < CheckReport.messageLimit { report.messages.append(message()) }
  }

  /// Notes clusters of the active state.
  mutating func addClusters(allocated: Int, fragmented: Int, compressed: Int) {
    report.allocatedClusters += allocated
    report.fragmentedClusters += fragmented
    report.compressedClusters += compressed
  }

  /// The report.
  func finish(totalClusters: Int, imageEndOffset: UInt64) -> CheckReport {
    var report = self.report
    report.totalClusters = totalClusters
    report.imageEndOffset = imageEndOffset
    report.messages += flagMessages.prefix(CheckReport.messageLimit - report.messages.count)
    return report
  }
}

/// A number as QEMU's messages have it.
func hexadecimal(_ value: UInt64) -> String { String(value, radix: 16) }
