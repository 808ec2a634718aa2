/// Which of all that can go wrong is tried, and how often.
struct Focus: Sendable {
  /// Failures of calls that are tried; nil for of all kinds.
  var failures: Set<Journal.Fault.Kind>?
  /// Ends of the process at calls that are tried; nil for at all kinds.
  var kills: Set<Journal.Fault.Kind>?
  /// Whether crashes are tried in which no call has failed.
  var triesPlainCrashes = true
  /// How many events after a failure the crash comes at most; nil for any number.
  var eventsAfterFailure: Int?
  /// In how many states of a hundred other programs act.
  var actPercentage = 50
  /// The same where only the page cache has the new first sector of an image alone.
  var loneActPercentage = 90
  /// In how many states of a hundred the recovery is crashed as well.
  var recoveryCrashPercentage = 8

  /// How many states of one such recovery are tried.
  var statesOfRecovery = 12
  /// In how many states of a hundred with a lost page the power goes before the recovery.
  var earlyLossPercentage = 60

  /// Whether a fault is tried.
  func includes(_ fault: Journal.Fault) -> Bool {
    (fault.kills ? kills : failures)?.contains(fault.kind) ?? true
  }
}
