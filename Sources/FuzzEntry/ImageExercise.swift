import Qcow2

/// Does everything with an image that snapjob does, each change on a copy of its own.
///
/// After a change the check must not find worse things than before, and states that were not meant must be what they
/// were; after one that was refused, all of them.
struct ImageExercise {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func run() throws(Finding) {
    try lookAtSector()
    let before = ImageLook(MemoryFile(bytes))
    guard let image = try? MemoryFile(bytes).open(.peek) else { return try repair(before) }
    readAll(image)
    try createAnother(like: image)
    for change in ImageEdit.all(for: image) { try make(change, before) }
    try repair(before)
  }

  /// What recovery does with a first sector.
  private func lookAtSector() throws(Finding) {
    let file = MemoryFile(bytes)
    let access = MemoryAccess(file: file)
    guard let sectors = try? SectorFile(opening: file.path, .write, access: access),
      let sector = try? sectors.read()
    else { return }
    _ = (sector.mark, sector.fenceMark, sector.isQcow2, sector.withoutMarker)
    guard let plain = try? sectors.unfenced() else { return }
    try require(plain.fenceMark == nil, "a sector without its fence has one")
    try? sectors.write(plain)
  }

  private func readAll(_ image: Image) {
    _ = try? image.summary()
    _ = try? image.snapshotSpace()
    _ = try? image.unsharedActiveByteCount()
    _ = try? image.snapshotOfActiveState()
    for bitmap in image.bitmaps { _ = try? image.bitmapContent(named: bitmap.name) }
    let sizes = [image.virtualSize] + image.snapshots.map(\.diskSize)
    guard sizes.allSatisfy({ $0 <= 4 << 20 }) else { return }
    var reader = try? GuestReader(image)
    _ = try? reader?.digest()
    for position in image.snapshots.indices {
      _ = try? image.differences(from: .snapshot(position), to: .active)
    }
  }

  private func createAnother(like image: Image) throws(Finding) {
    let file = MemoryFile([])
    let options = CreateOptions(
      size: image.virtualSize, clusterSize: image.clusterSize, version: image.version)
    guard (try? Image.create(file.path, options, access: MemoryAccess(file: file))) != nil else {
      return
    }
    try require(ImageLook(file).rank == 0, "a new image is not clean")
  }

  private func make(_ edit: ImageEdit, _ before: ImageLook) throws(Finding) {
    let file = MemoryFile(bytes)
    let isDone = try Self.perform(edit, on: file)
    let after = ImageLook(file)
    try requireNoWorse(before, after, edit.name)
    // Who trusts counts that are too low overwrites what is in use, as QEMU does.
    guard before.rank < 2 else { return }
    isDone ? try edit.judge(before, after) : try after.requireStates(of: before, edit.name)
  }

  /// Makes a change and lets it become true.
  ///
  /// - Returns: whether it was done; false if it was refused.
  static func perform(_ edit: ImageEdit, on file: MemoryFile) throws(Finding) -> Bool {
    do {
      try change(file, by: edit)
      return true
    } catch let finding as Finding {
      throw finding
    } catch {
      return false
    }
  }

  private static func change(_ file: MemoryFile, by edit: ImageEdit) throws {
    var draft = try ImageDraft(file.open(.change))
    try edit.apply(&draft)
    for position in draft.image.snapshots.indices { _ = try? draft.positions(equalTo: position) }
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try passFence(of: prepared, on: file)
    try prepared.publish()
    try prepared.finish()
  }

  /// Raises the fence and takes it away again, out of itself: the image is what it was, but for the names that others
  /// have given to features.
  private static func passFence(of prepared: PreparedImage, on file: MemoryFile) throws {
    let mark = FenceMark(commit: CommitID(), catalog: CatalogID(), member: 0, memberCount: 1)
    let sectors = try prepared.sectors(mark)
    let sector = prepared.image.sectorFile
    try sector.write(sectors.fenced)
    try require(sector.read()?.fenceMark == mark, "a fence says something else than was written")
    try sector.write(sector.unfenced())
    try require(
      file.open(.peek).summary() == prepared.image.summary(),
      "what is behind a fence is another image")
    try sector.write(sectors.before)
  }

  private func repair(_ before: ImageLook) throws(Finding) {
    for scope in RepairScope.allCases {
      let file = MemoryFile(bytes)
      _ = try? file.open(.repair).repair(scope) { prepared in
        try prepared.publish()
        try prepared.finish()
      }
      let after = ImageLook(file)
      try requireNoWorse(before, after, "repair \(scope)")
      try after.requireStates(of: before, "repair \(scope)")
    }
  }

  private func requireNoWorse(
    _ before: ImageLook, _ after: ImageLook, _ name: String
  ) throws(Finding) {
    guard !after.isAsGood(as: before) else { return }
    // Counts of clusters behind the end of the file are no leaks until the file has grown.
    let grown = MemoryFile(bytes)
    try? grown.setLength(max(after.length, Int64(bytes.count)))
    try require(
      after.isAsGood(as: ImageLook(grown)),
      "\(name) made the image worse: \(before.report?.messages ?? ["unreadable"]) became "
        + "\(after.report?.messages ?? ["unreadable"])")
  }
}
