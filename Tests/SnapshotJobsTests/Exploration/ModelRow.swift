@testable import SnapshotJobs

/// What a catalog says of X, as a number below 32.
struct ModelRow: Sendable, Hashable {
  /// Bits 0 and 1: the decision; 2: settled; 3 and 4: the confirmed members; 5: the row is there.
  var bits: UInt8

  /// No row.
  static let none = ModelRow(bits: 0)
  /// An intent alone.
  static let intent = ModelRow(bits: 32)

  var exists: Bool { bits & 32 != 0 }
  var isSettled: Bool { bits & 4 != 0 }
  var confirmed: UInt8 { bits >> 3 & 3 }

  var decision: CommitDecision? {
    switch bits & 3 {
    case 1: .record
    case 2: .undone
    case 3: .unknown
    default: nil
    }
  }

  /// With a decision, unless there is one.
  func decided(_ decision: CommitDecision) -> ModelRow {
    if bits & 3 != 0 { return self }
    let number: UInt8 =
      switch decision {
      case .record: 1
      case .undone: 2
      case .unknown: 3
      }
    return ModelRow(bits: bits | 32 | number)
  }

  /// With more members that are not judged again.
  func confirming(_ members: UInt8) -> ModelRow { ModelRow(bits: bits | members << 3) }

  /// With nothing left to do.
  func settled(_ decision: CommitDecision, confirmed members: UInt8) -> ModelRow {
    ModelRow(bits: decided(decision).confirming(members).bits | 4)
  }
}
