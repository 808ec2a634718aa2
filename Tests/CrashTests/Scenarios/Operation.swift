/// What the product is asked to do when something goes wrong.
enum Operation: String, Sendable, CaseIterable {
  case save, load, delete, replace, saveCurrent, clearBitmap, bitmapAdd, receive, repair, prune
  case nodeCreate, devices, grouped, pending

  /// Whether it needs a disk with bitmaps.
  var needsBitmaps: Bool { self == .clearBitmap }

  /// Whether it can be done with so many disks of this format.
  func isPossible(_ format: Format, diskCount: Int) -> Bool {
    switch self {
    case .grouped: diskCount > 1
    case .clearBitmap, .bitmapAdd, .receive: format != .version2
    case .nodeCreate: format == .version3
    default: true
    }
  }
}
