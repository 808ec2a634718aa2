import TestOracles
import Testing

@testable import Qcow2

@Suite struct SectorFileTests {
  @Test("A sector is read and written whatever is in the file; a shorter file has none")
  func readAndWrite() throws {
    let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
    let file = MemoryFile(bytes)
    let sectorFile = try SectorFile(
      opening: file.path, .write, access: MemoryAccess(file: file))
    let sector = try #require(try sectorFile.read())
    #expect(sector.bytes == Array(bytes[..<512]))
    #expect(!sector.isQcow2)
    #expect(sector.mark == nil)
    let other = FirstSector(onDisk: [UInt8](repeating: 9, count: 512))
    try sectorFile.write(other)
    try sectorFile.synchronize()
    #expect(try sectorFile.read() == other)
    #expect(file.operations == [.write(other.bytes, at: 0), .synchronize])
    #expect(Array(file.bytes[512...]) == Array(bytes[512...]))
    for count in [0, 1, 511] {
      let short = MemoryFile(Array(bytes[..<count]))
      let access = MemoryAccess(file: short)
      #expect(try SectorFile(opening: short.path, .peek, access: access).read() == nil)
      #expect(throws: Qcow2Error.self) {
        try SectorFile(opening: short.path, .peek, access: access).unfenced()
      }
    }
  }

  @Test("An image without a fence has none to be taken away")
  func notFenced() throws {
    let image = try TestImage(size: "1M")
    try image.save("a")
    let error = try #require(throws: Qcow2Error.self) {
      try SectorFile(opening: image.path, .peek).unfenced()
    }
    #expect(error.code == .notFound)
    #expect(error.path == image.path)
  }

  @Test("Whoever has it for writing keeps QEMU out, whoever peeks does not")
  func locks() throws {
    let image = try TestImage(size: "1M")
    let held = try SectorFile(opening: image.path, .write)
    #expect(try Command.attempt("qemu-io", ["-f", "qcow2", "-c", "quit", image.path]).status != 0)
    let error = try #require(throws: Qcow2Error.self) {
      _ = try SectorFile(opening: image.path, .write)
    }
    #expect(error.code == .inUse)
    #expect(try SectorFile(opening: image.path, .peek).read() == image.firstSector())
    held.unlock()
    try QemuIO.run(["write 0 512"], on: image.path)
  }

  @Test("A filesystem without room for a rewrite is out of space before anything is written")
  func room() throws {
    for hasRoom in [true, false] {
      let file = MemoryFile([UInt8](repeating: 0, count: 512), hasRoom: hasRoom)
      let sectorFile = try SectorFile(
        opening: file.path, .write, access: MemoryAccess(file: file))
      if hasRoom {
        try sectorFile.checkRoomForRewrite()
      } else {
        let error = try #require(throws: Qcow2Error.self) { try sectorFile.checkRoomForRewrite() }
        #expect(error.code == .noSpace)
        #expect(error.message.contains("try again"))
      }
      #expect(file.operations.isEmpty)
    }
  }
}
