private import Crypto

/// The first sectors of one image in one commit.
public struct CommitSectors: Sendable, Hashable {
  /// As it is before.
  public let before: FirstSector
  /// As it is before, fenced.
  public let fenced: FirstSector
  /// As it shall be.
  public let after: FirstSector
  /// As it shall be, fenced; of an image that is alone in its commit.
  public let afterFenced: FirstSector?

  /// Puts sectors together.
  public init(
    before: FirstSector, fenced: FirstSector, after: FirstSector, afterFenced: FirstSector? = nil
  ) {
    self.before = before
    self.fenced = fenced
    self.after = after
    self.afterFenced = afterFenced
  }

  /// The SHA-256 over all of them, 32 bytes: what is written to an image must be what was meant for it.
  public var checksum: [UInt8] {
    var hash = SHA256()
    for sector in [before, fenced, after] { hash.update(data: sector.bytes) }
    if let afterFenced { hash.update(data: afterFenced.bytes) }
    return Array(hash.finalize())
  }
}
