import TestOracles
import Testing

@testable import Qcow2

@Suite struct LookingTests {
  @Test("A look is repeated when the image changes meanwhile") func repeats() throws {
    let image = try TestImage(size: "1M")
    var seen: [[String]] = []
    let names = try Image.look(at: image.path) { look -> [String] in
      seen.append(look.snapshots.map(\.name))
      if seen.count == 1 { try QemuImg.createSnapshot("new", in: image.path) }
      return look.snapshots.map(\.name)
    }
    #expect(seen == [[], ["new"]])
    #expect(names == ["new"])
  }

  @Test("What a look throws counts only if the image stood still") func failures() throws {
    let image = try TestImage(size: "1M")
    var count = 0
    let result = try Image.look(at: image.path) { look -> Int in
      count += 1
      if count == 1 {
        try QemuImg.createSnapshot("new", in: image.path)
        throw Qcow2Error.malformed("half of it")
      }
      return count
    }
    #expect(result == 2)
    #expect(throws: Qcow2Error.self) {
      try Image.look(at: image.path) { _ in throw Qcow2Error.malformed("all of it") }
    }
  }

  @Test("An image that never stands still is in use") func restless() throws {
    let image = try TestImage(size: "1M")
    var count = 0
    let error = try #require(throws: Qcow2Error.self) {
      try Image.look(at: image.path) { _ in
        count += 1
        try QemuImg.createSnapshot("s\(count)", in: image.path)
      }
    }
    #expect(error.code == .inUse)
    #expect(error.path == image.path)
  }
}
