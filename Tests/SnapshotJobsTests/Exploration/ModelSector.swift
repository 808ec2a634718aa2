import Qcow2

@testable import SnapshotJobs

/// A first sector, as far as the protocol can tell it apart: which new states it has, whose id it carries, and
/// whose fence it is.
///
/// X is the commit that is explored, Y one of another catalog. A fence holds what it covers.
struct ModelSector: Sendable, Hashable {
  let bits: UInt8

  private static let x: UInt8 = 1
  private static let y: UInt8 = 2
  private static let edit: UInt8 = 4
  private static let lastIsX: UInt8 = 8
  private static let lastIsY: UInt8 = 16
  private static let keepsX: UInt8 = 32
  private static let fenceOfX: UInt8 = 64
  private static let fenceOfY: UInt8 = 128
  private static let content: UInt8 = 63

  /// Whether it has no fence.
  var isPlain: Bool { bits & ~Self.content == 0 }
  /// Whether it has X's fence.
  var isFencedByX: Bool { bits & Self.fenceOfX != 0 }
  /// Whether it has Y's fence.
  var isFencedByY: Bool { bits & Self.fenceOfY != 0 }
  /// Whether it shows, or covers, X's new state.
  var hasX: Bool { bits & Self.x != 0 }
  /// Whether another program has changed the header.
  var isEdited: Bool { bits & Self.edit != 0 }
  /// Whether X's id is the last one, or the last before another catalog's.
  var carriesX: Bool { bits & (Self.lastIsX | Self.keepsX) != 0 }
  /// Which clusters it leads to: 0 to 3.
  var tree: UInt8 { bits & (Self.x | Self.y) }

  /// With X's fence.
  var fencedByX: ModelSector { ModelSector(bits: bits & Self.content | Self.fenceOfX) }
  /// With Y's fence.
  var fencedByY: ModelSector { ModelSector(bits: bits & Self.content | Self.fenceOfY) }
  /// Without a fence.
  var unfenced: ModelSector { ModelSector(bits: bits & Self.content) }
  /// With another program's change to the header.
  var edited: ModelSector { ModelSector(bits: bits | Self.edit) }

  /// X's new state of an image that was like this.
  var afterX: ModelSector {
    ModelSector(bits: bits & (Self.y | Self.edit) | Self.x | Self.lastIsX)
  }

  /// Y's new state of an image that was like this.
  ///
  /// - Parameter keepsOthers: whether a mark keeps the id that another catalog wrote before.
  /// - Returns: the sector.
  func afterY(keepsOthers: Bool) -> ModelSector {
    let kept = keepsOthers && bits & Self.lastIsX != 0 ? Self.keepsX : 0
    return ModelSector(bits: bits & (Self.x | Self.edit) | Self.y | Self.lastIsY | kept)
  }

  /// What identifies it among the sectors that an image can have when it is prepared: two bits.
  var preparedBits: UInt8 { bits >> 1 & 3 }

  /// The sector that an image had when it was prepared.
  static func prepared(_ bits: UInt8) -> ModelSector {
    let y = bits & 1 != 0 ? Self.y | lastIsY : 0
    return ModelSector(bits: y | (bits & 2 != 0 ? edit : 0))
  }

  /// Whether the product's mark keeps the id that another catalog wrote before its own.
  static let productKeepsOthers: Bool = {
    let x = CommitID()
    let old = SnapjobMark(last: x, catalog: CatalogID())
    return SnapjobMark(following: old, commit: CommitID(), catalog: CatalogID()).carries(x)
  }()
}
