/// What helps against a failure or a finding.
///
/// The engine knows no commands: who prints the failure says which one it is.
public enum Advice: Sendable, Hashable, CaseIterable {
  /// Check the metadata.
  case check
  /// Repair all of the metadata.
  case repair
  /// Make an image elsewhere.
  case create
  /// Finish the commit that is pending, with the catalog that made it, or give it up.
  case finishOrAbandon
  /// Give up the commit that is pending.
  case abandon
  /// Take the marker bit of an earlier version away.
  case takeMarker
}
