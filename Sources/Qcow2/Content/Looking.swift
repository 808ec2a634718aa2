extension Image {
  /// How often a look is repeated when the image changes meanwhile.
  private static var lookCount: Int { 8 }

  /// Looks at more of an image than ``Purpose/peek`` reads, without locks: again from the start if the
  /// image has another first sector afterwards.
  ///
  /// The first sector changes with every snapshot that is taken, loaded or deleted, so what snapshots
  /// keep is read as it was in one instant. Of the active state of an image that a program writes to,
  /// a part may be newer than another.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - access: where files come from.
  ///   - body: reads; called again if the image has changed.
  /// - Returns: what the body returned.
  /// - Throws: ``Qcow2Error`` if the image cannot be opened or keeps changing; what the body throws.
  public static func look<Value>(
    at path: String, access: any FileAccess = PosixFileAccess(), _ body: (Image) throws -> Value
  ) throws -> Value {
    for _ in 1..<lookCount {
      let image = try Image.open(path, for: .peek, access: access)
      let outcome = Result { try body(image) }
      if try image.isAsOpened() { return try outcome.get() }
    }
    let image = try Image.open(path, for: .peek, access: access)
    let value = try body(image)
    guard try image.isAsOpened() else {
      throw Qcow2Error(
        .inUse, "the image keeps changing while it is read; try again", path: path)
    }
    return value
  }

  /// Whether the first sector is what it was when the image was opened.
  private func isAsOpened() throws(Qcow2Error) -> Bool {
    do {
      return try file.readZeroPadded(byteCount: firstSector.count, at: 0) == firstSector
    } catch let error {
      throw error.in(path)
    }
  }
}
