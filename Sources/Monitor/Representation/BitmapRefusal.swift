import Jobs
import QMP

extension QMPError {
  /// What QEMU says when it does not change a bitmap, and the kind of failure that snapjob has for it.
  private static let kindsOfBitmapRefusals: [(text: String, kind: FailureKind)] = [
    ("Bitmap already exists: ", .conflict), ("is inconsistent and cannot be used", .conflict),
    ("is currently in use by another operation", .inUse), (" not found", .notFound),
    ("Cannot find device=", .notFound), ("is readonly and cannot be modified", .refused),
    ("is read only", .refused), ("Can't make bitmap", .refused),
    ("Can't store persistent bitmaps", .refused), ("Bitmap name cannot be empty", .usage),
    ("Granularity must be", .usage),
  ]

  /// QEMU's refusal of a change of a bitmap with its kind, so that it ends a command as the same refusal of
  /// snapjob's own does. A running QEMU tells only texts.
  var asBitmapRefusal: QMPError {
    guard kind == nil, errorClass == .genericError,
      let row = Self.kindsOfBitmapRefusals.first(where: { desc.contains($0.text) })
    else { return self }
    return QMPError(errorClass, desc, kind: row.kind.rawValue)
  }
}
