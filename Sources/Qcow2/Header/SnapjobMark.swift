/// snapjob's header extension: which commit wrote the image last, and in which catalog it stands.
///
/// It proves nothing about what others have done since; it only tells an image that has the new state of a
/// commit from one that has not.
///
/// ```
/// byte  0  layout version, 1
///       1  zeros
///       8  id of the last commit, 16 bytes
///      24  id of the catalog that made it, 16 bytes
///      40  id of the last commit that another catalog made before, 16 bytes, zeros for none
/// ```
///
/// Versions of snapjob that marked images wrote 48 bytes, the last commit's id first and the catalog's at
/// byte 32; they take the 56 bytes for nothing of theirs.
public struct SnapjobMark: Sendable, Hashable {
  /// The last commit.
  public let last: CommitID
  /// The catalog that made it.
  public let catalog: CatalogID
  /// The last commit that another catalog made before; nil for none.
  public let previous: CommitID?

  /// Bytes of the extension's data.
  static let byteCount = 56
  private static let layoutVersion: UInt8 = 1
  private static let markedByteCount = 48

  /// Makes a mark.
  public init(last: CommitID, catalog: CatalogID, previous: CommitID? = nil) {
    self.last = last
    self.catalog = catalog
    self.previous = previous
  }

  /// The mark of a commit on an image that has another one now.
  ///
  /// The id of another catalog's commit is kept, so that its recovery still finds the image published.
  ///
  /// - Parameters:
  ///   - old: the image's mark; nil for none.
  ///   - commit: the commit.
  ///   - catalog: the catalog that makes it.
  public init(following old: SnapjobMark?, commit: CommitID, catalog: CatalogID) {
    self.init(
      last: commit, catalog: catalog,
      previous: old.flatMap { $0.catalog == catalog ? $0.previous : $0.last })
  }

  /// Whether the image has had the new state of a commit.
  public func carries(_ commit: CommitID) -> Bool { last == commit || previous == commit }

  /// Decodes the extension's data; nil if it is of another layout, or names no commit.
  init?(decoding data: [UInt8]) {
    if data.count == Self.byteCount, data[0] == Self.layoutVersion {
      guard let last = CommitID(bytes: Array(data[8..<24])),
        let catalog = CatalogID(bytes: Array(data[24..<40]))
      else { return nil }
      self.init(
        last: last, catalog: catalog, previous: CommitID(bytes: Array(data[40..<56])))
    } else if data.count == Self.markedByteCount {
      guard let last = CommitID(bytes: Array(data[0..<16])),
        let catalog = CatalogID(bytes: Array(data[32..<48]))
      else { return nil }
      self.init(last: last, catalog: catalog)
    } else {
      return nil
    }
  }

  /// The extension's data.
  var encoded: [UInt8] {
    let none = [UInt8](repeating: 0, count: CommitID.byteCount)
    return [Self.layoutVersion] + [UInt8](repeating: 0, count: 7) + last.bytes + catalog.bytes
      + (previous?.bytes ?? none)
  }
}
