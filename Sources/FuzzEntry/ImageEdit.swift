import Qcow2

/// One way to change an image, and what must come of it.
struct ImageEdit: Sendable {
  let name: String
  let apply: @Sendable (inout ImageDraft) throws -> Void
  /// Whether the active state stays.
  var keepsActive = true
  /// The snapshot that goes.
  var deleted: Int?
  /// The snapshot that becomes the active state.
  var loaded: Int?

  /// Looks whether nothing but what was meant is another now.
  func judge(_ before: ImageLook, _ after: ImageLook) throws(Finding) {
    var kept = before.snapshots
    if let deleted { kept.remove(at: deleted) }
    try require(after.keeps(kept), "\(name) changed a snapshot")
    if keepsActive {
      try require(
        before.active?.isKept(in: after.active) ?? true, "\(name) changed the active state")
    }
    if let loaded, let disk = before.snapshots[loaded].disk {
      try require(after.active?.disk == disk, "\(name) loaded something else")
    }
  }

  /// All ways for an image.
  static func all(for image: Image) -> [ImageEdit] {
    let positions = image.snapshots.indices
    let ends = Set([positions.first, positions.last].compactMap(\.self)).sorted()
    return [save, saveWithState, write] + ends.map(load) + ends.map(delete) + ends.map(resave)
      + [addBitmap] + (image.bitmaps.first.map { changes(of: $0.name) } ?? [])
  }

  private static let date = ImageDraft.SnapshotDate(seconds: 1_700_000_000, nanoseconds: 5)

  private static let save = ImageEdit(name: "save") { draft in
    try draft.takeSnapshot(tag: "new", date: date)
  }

  private static let saveWithState = ImageEdit(name: "save with VM state") { draft in
    try draft.takeSnapshot(tag: "new", date: date, vmState: .copied(from: SmallState()))
  }

  private static let write = ImageEdit(
    name: "write", apply: { try $0.write([UInt8](repeating: 7, count: 700), at: 1000) },
    keepsActive: false)

  private static func load(_ position: Int) -> ImageEdit {
    ImageEdit(
      name: "load \(position)", apply: { try $0.load(position: position) }, keepsActive: false,
      loaded: position)
  }

  private static func delete(_ position: Int) -> ImageEdit {
    ImageEdit(
      name: "delete \(position)", apply: { try $0.deleteSnapshot(position: position) },
      deleted: position)
  }

  /// A snapshot makes place for a new one with its VM state, as a save over an old tag does.
  private static func resave(_ position: Int) -> ImageEdit {
    ImageEdit(
      name: "save over \(position)",
      apply: { draft in
        let state = try? draft.vmState(ofSnapshot: position)
        try draft.deleteSnapshot(position: position)
        try draft.takeSnapshot(tag: "again", date: date, vmState: state)
      }, deleted: position)
  }

  private static let addBitmap = ImageEdit(name: "add a bitmap") { draft in
    var content = try BitmapContent(size: draft.image.virtualSize, granularityBits: 12)
    content.insertAll()
    try draft.bitmaps.add("new", content: content)
  }

  private static func changes(of bitmap: String) -> [ImageEdit] {
    [
      ImageEdit(name: "remove a bitmap") { try $0.bitmaps.remove(bitmap) },
      ImageEdit(name: "clear a bitmap") { try $0.bitmaps.clear(bitmap) },
      ImageEdit(name: "disable a bitmap") { try $0.bitmaps.setEnabled(false, bitmap) },
      ImageEdit(name: "repair a bitmap") { try $0.bitmaps.repair(bitmap) },
      ImageEdit(name: "merge bitmaps") { draft in
        try draft.bitmaps.add("new")
        try draft.bitmaps.merge(try draft.bitmaps.content(of: bitmap), into: "new")
      },
    ]
  }
}

/// A little VM state.
private struct SmallState: VMStateSource {
  let byteCount: UInt64 = 700

  mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int {
    let count = Int(min(UInt64(buffer.count), byteCount - min(offset, byteCount)))
    UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      .initializeMemory(as: UInt8.self, repeating: 0x51)
    return count
  }
}
