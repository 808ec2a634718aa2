/// The order in which snapshots were taken.
///
/// The catalog's own sequence decides between those that it knows, whatever their dates say; the others are put between
/// them by date. A date that is later than that of a snapshot taken afterwards comes of a clock that ran ahead, and
/// counts as that one's.
public struct SnapshotSequence: Sendable {
  private let makers: [SnapshotKey: SnapshotMaker]

  /// Makes an order.
  ///
  /// - Parameter makers: what the catalog knows.
  public init(_ makers: [SnapshotKey: SnapshotMaker]) { self.makers = makers }

  /// The snapshots, those first that were taken first.
  ///
  /// - Parameter snapshots: by date.
  /// - Returns: the same in that order.
  public func sorted(_ snapshots: [SnapshotListing]) -> [SnapshotListing] {
    var known: [(listing: SnapshotListing, number: Int64)] = []
    var others: [SnapshotListing] = []
    for snapshot in snapshots {
      if let number = number(of: snapshot) {
        known.append((snapshot, number))
      } else {
        others.append(snapshot)
      }
    }
    known.sort { $0.number < $1.number }
    var dates = known.map(\.listing.firstDate)
    for index in dates.indices.dropLast().reversed() where dates[index + 1] < dates[index] {
      dates[index] = dates[index + 1]
    }
    var result: [SnapshotListing] = []
    var rest = others[...]
    for ((snapshot, _), date) in zip(known, dates) {
      while let other = rest.first, other.wasTaken(before: date, snapshot) {
        result.append(other)
        rest.removeFirst()
      }
      result.append(snapshot)
    }
    return result + rest
  }

  /// The number of the newest of a tag's snapshots; nil if the catalog knows none.
  private func number(of snapshot: SnapshotListing) -> Int64? {
    snapshot.devices.compactMap { makers[snapshot.key(of: $0)]?.sequence }.max()
  }
}
