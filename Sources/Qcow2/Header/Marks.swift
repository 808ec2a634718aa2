/// snapjob's header extension: which commit wrote the image last, which is about to, and which catalog
/// knows of them.
///
/// ```
/// byte  0  last commit id, 16 bytes, zeros for none
///      16  pending commit id, 16 bytes, zeros for none
///      32  catalog id, 16 bytes
/// ```
public struct Marks: Sendable, Hashable {
  /// The commit that was published last.
  public var last: CommitID?
  /// The commit that is being prepared.
  public var pending: CommitID?
  /// The catalog that wrote either.
  public var catalog: CatalogID?

  /// Bytes of the extension's data.
  static let byteCount = 48

  init(last: CommitID? = nil, pending: CommitID? = nil, catalog: CatalogID? = nil) {
    self.last = last
    self.pending = pending
    self.catalog = catalog
  }

  /// Decodes the extension's data; data of another length is somebody else's and means no marks.
  init(decoding data: [UInt8]) {
    guard data.count == Self.byteCount else {
      self.init()
      return
    }
    self.init(
      last: CommitID(bytes: Array(data[0..<16])), pending: CommitID(bytes: Array(data[16..<32])),
      catalog: CatalogID(bytes: Array(data[32..<48])))
  }

  var encoded: [UInt8] {
    let none = [UInt8](repeating: 0, count: CommitID.byteCount)
    return (last?.bytes ?? none) + (pending?.bytes ?? none) + (catalog?.bytes ?? none)
  }
}
