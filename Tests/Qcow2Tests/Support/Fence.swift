import TestOracles
import Testing

@testable import Qcow2

/// What QEMU says of a fenced image, at the end of a line.
let fenceWords = "Unsupported qcow2 feature(s): snapjob commit pending: run snapjob recover\n"

extension FenceMark {
  /// The fence of the second of three images, of a commit that no catalog has.
  static func fresh() -> FenceMark {
    FenceMark(commit: CommitID(), catalog: CatalogID(), member: 1, memberCount: 3)
  }
}

extension PreparedImage {
  /// Raises the fence as a commit over several images does.
  @discardableResult func raiseFence(_ mark: FenceMark = .fresh()) throws -> CommitSectors {
    let sectors = try sectors(mark)
    try image.sectorFile.write(sectors.fenced)
    try image.sectorFile.synchronize()
    return sectors
  }
}

extension TestImage {
  /// The first sector as it is on disk.
  func firstSector() throws -> FirstSector {
    let file = try PosixFile(opening: path, .read)
    return FirstSector(onDisk: try file.read(byteCount: FirstSector.byteCount, at: 0))
  }

  /// The first sector fenced, as a commit over several images fences it.
  func fencedSector(_ mark: FenceMark = .fresh()) throws -> FirstSector {
    let image = try open(.peek)
    return try FirstSector(fencing: image.area, mark, cluster: image.cluster)
  }

  /// Takes the fence away by what it says itself.
  func unfence() throws {
    try poke(SectorFile(opening: path, .peek).unfenced().bytes, at: 0)
  }
}

extension MemoryFile {
  /// A copy without the fence, by what the fence says itself; a copy as it is where there is none.
  func unfencedCopy() throws -> MemoryFile {
    let copy = MemoryFile(bytes)
    let file = try SectorFile(opening: path, .peek, access: MemoryAccess(file: copy))
    guard try file.read()?.fenceMark != nil else { return copy }
    try file.write(file.unfenced())
    return copy
  }
}
