import Qcow2

extension PreparedImage {
  /// Raises the fence as a commit over several images does.
  func raiseFence() throws {
    try image.writeFirstSector(FirstSector(onDisk: before).fenced.bytes)
  }
}
