import Testing

@Suite("The model of a file") struct FileModelTests {
  /// A file of two sectors of ones, to which a third of twos was written in vain: its fsync has failed.
  private static func withLostWrite() -> FileModel {
    var model = FileModel(FileContent([UInt8](repeating: 1, count: 1024)))
    model.apply(.write([UInt8](repeating: 2, count: 512)[...], at: 1024))
    model.failToSynchronize()
    return model
  }

  private static func content(_ thirdSector: UInt8) -> FileContent {
    FileContent([UInt8](repeating: 1, count: 1024) + [UInt8](repeating: thirdSector, count: 512))
  }

  @Test(
    "What an fsync failed on may be lost or not, whatever fsync follows", arguments: [true, false])
  func lost(survives: Bool) {
    var model = Self.withLostWrite()
    model.synchronize()
    #expect(model.hasLost)
    let bytes = model.afterPowerLoss(keepsName: true) { _, _ in survives }.cached.bytes(
      at: 1024, count: 1)
    #expect(bytes == [survives ? 2 : 0])
  }

  @Test("What was cut off afterwards does not come back behind an fsync", arguments: [true, false])
  func cut(survives: Bool) {
    var model = Self.withLostWrite()
    model.apply(.length(1024))
    model.apply(.length(4096))
    model.synchronize()
    let after = model.afterPowerLoss(keepsName: true) { _, _ in survives }.cached
    #expect(after.byteCount == 4096)
    #expect(after.bytes(at: 1024, count: 512).allSatisfy { $0 == 0 })
  }

  @Test("A length that an fsync failed on does not cut what others write behind it")
  func length() {
    var model = FileModel(FileContent([UInt8](repeating: 1, count: 512)))
    model.apply(.length(1024))
    model.failToSynchronize()
    model.adopt(Self.content(3))
    let after = model.afterPowerLoss(keepsName: true) { _, _ in true }.cached
    #expect(after == Self.content(3))
  }

  @Test("Who writes what was seen there before has written all the same", arguments: [true, false])
  func written(survives: Bool) {
    var model = Self.withLostWrite()
    let isSpoilt = model.spoilLost()
    #expect(isSpoilt)
    #expect(model.cached != Self.content(2))
    model.adopt(Self.content(2))
    #expect(model.afterPowerLoss(keepsName: true) { _, _ in survives }.cached == Self.content(2))
  }
}
