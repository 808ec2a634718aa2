/// The room that a snapshot takes in its image, in bytes of whole clusters.
public struct SnapshotSpace: Sendable, Hashable {
  /// What deleting this snapshot alone would free: its L1 table, and every L2 table and data cluster that
  /// nothing else refers to. By the refcounts on disk; those of an image that was not closed cleanly are
  /// counted anew, if that can be done.
  public internal(set) var used: UInt64 = 0
  /// What the snapshot's L1 table leads to, whoever else refers to it as well: tables and data, VM state
  /// included. Compressed clusters count with the bytes that their entries claim, in sectors of 512.
  public internal(set) var referenced: UInt64 = 0

  /// Nothing.
  public init() {}

  /// The room of two snapshots in two images.
  public static func + (left: SnapshotSpace, right: SnapshotSpace) -> SnapshotSpace {
    var sum = left
    sum.used += right.used
    sum.referenced += right.referenced
    return sum
  }
}

extension Image {
  /// The room that each snapshot takes, in table order.
  ///
  /// Each L2 table is read once, however many snapshots point to it.
  ///
  /// - Returns: one value for each of ``snapshots``.
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read or is damaged.
  public func snapshotSpace() throws(Qcow2Error) -> [SnapshotSpace] {
    guard !table.entries.isEmpty else { return [] }
    do {
      var survey = try SnapshotSurvey(self)
      try survey.run()
      return survey.space
    } catch let error as Qcow2Error {
      throw error.in(path)
    } catch {
      throw Qcow2Error(.io, "\(error)", path: path)
    }
  }
}
