import TestOracles
import Testing

@testable import Qcow2

@Suite struct PowerLossTests {
  /// A change, from an image with two snapshots.
  enum Change: String, CaseIterable, Sendable {
    case save, load, delete, write, undo, bitmaps
  }

  private func makeImage(compat: String) throws -> TestImage {
    let image = try TestImage(
      size: "256k", ["compat=\(compat)", "cluster_size=4096"], ["write -P 1 0 40k"])
    try image.save("a")
    try QemuIO.run(["write -P 2 16k 60k"], on: image.path)
    try QemuImg.createSnapshot("b", in: image.path)
    if compat == "1.1" {
      for name in ["b0", "b1"] { try QemuBitmaps.add(name, to: image.path, granularity: 512) }
    }
    try QemuIO.run(["write -P 3 100k 30k", "discard 0 8k"], on: image.path)
    return image
  }

  private func edit(_ draft: inout ImageDraft, _ change: Change) throws {
    switch change {
    case .save, .undo:
      try draft.takeSnapshot(tag: "new", date: .init(seconds: 1, nanoseconds: 2))
    case .load: try draft.load(position: 0)
    case .delete: try draft.deleteSnapshot(position: 0)
    case .write: try draft.write([UInt8](repeating: 9, count: 20_000), at: 30_000)
    case .bitmaps:
      try draft.bitmaps.add("b2", granularity: 4096, isEnabled: false)
      try draft.bitmaps.merge(draft.bitmaps.content(of: "b0"), into: "b2")
      try draft.bitmaps.clear("b0")
      try draft.bitmaps.remove("b1")
    }
  }

  @Test(
    "Whenever power fails, the image is clean and wholly old or wholly new, or fenced",
    arguments: Change.allCases)
  func powerFails(change: Change) throws {
    for (compat, budget) in [("1.1", 30), ("0.10", 12)] where compat == "1.1" || change != .bitmaps
    {
      let image = try makeImage(compat: compat)
      let start = try image.bytes()
      let file = MemoryFile(start)
      let old = try Meaning(file)
      #expect(try old == Meaning(qemu: image.path))

      var draft = try ImageDraft(file.open(.change))
      try edit(&draft, change)
      try draft.settle { _ in }
      let prepared = try draft.prepare { _ in }
      let preparedCount = file.operations.count
      var fencedCount = preparedCount
      if change == .undo {
        try prepared.undo()
      } else {
        if change == .load {
          // As one of several images.
          try prepared.synchronize()
          let sectors = try prepared.raiseFence()
          fencedCount = file.operations.count
          try prepared.image.sectorFile.write(sectors.after)
          try prepared.synchronize()
        } else {
          try prepared.publish()
        }
      }
      let publishedCount = file.operations.count
      if change != .undo { try prepared.finish() }
      let new = try Meaning(file)
      #expect((new == old) == (change == .undo))

      var generator = SeededGenerator(seed: 7)
      let states = PowerLoss(start: start, operations: file.operations)
        .states(samples: 12, using: &generator)
      // All states are read with this engine, and as many as there is time for with qemu-img.
      let stride = max(1, states.count / budget)
      var seen: Set<Meaning> = []
      for (index, state) in states.enumerated() {
        let place = Comment(rawValue: "\(change) \(compat), after \(state.position) changes")
        let damaged = MemoryFile(state.bytes)
        let isFenced = FirstSector(onDisk: Array(state.bytes.prefix(512))).fenceMark != nil
        let report = try damaged.unfencedCopy().open(.check).check()
        #expect(report.exitCode == 0, "\(place): \(report.messages)")
        let meaning = try Meaning(damaged)
        seen.insert(meaning)
        #expect(meaning == old || meaning == new, place)
        if state.position <= fencedCount { #expect(meaning == old, place) }
        if state.position == fencedCount { #expect(isFenced == (change == .load), place) }
        if state.position >= publishedCount {
          #expect(meaning == new, place)
          #expect(!isFenced, place)
        }
        guard index % stride == 0 || index == states.count - 1 else { continue }
        try image.setLength(0)
        try image.poke(state.bytes, at: 0)
        let check = try QemuImg.check(image.path)
        if isFenced {
          #expect(check.status == 1)
          #expect(check.text.contains("snapjob commit pending: run snapjob recover"))
        } else {
          #expect(check.isClean, "\(place): \(check.text)")
        }
      }
      #expect(seen == [old, new])
      try image.setLength(0)
      try image.poke(file.bytes, at: 0)
      #expect(try new == Meaning(qemu: image.path))
    }
  }

  @Test(
    "Whichever write fails, the change is taken back or done, and the image is clean",
    arguments: Change.allCases)
  func writesFail(change: Change) throws {
    let start = try makeImage(compat: "1.1").bytes()
    let old = try Meaning(MemoryFile(start))
    var outcomes: Set<Bool> = []
    for count in 0..<60 {
      let file = MemoryFile(start)
      var draft = try ImageDraft(file.open(.change))
      try edit(&draft, change)
      try draft.settle { _ in }
      file.fail(after: count)
      var hasFailed = false
      do {
        let prepared = try draft.prepare { _ in }
        if change == .undo {
          try prepared.undo()
        } else {
          try prepared.publish()
          try prepared.finish()
        }
      } catch {
        hasFailed = true
      }
      outcomes.insert(hasFailed)
      file.fail(after: nil)
      let meaning = try Meaning(file)
      // The commit point is the write of the first sector, and nothing else.
      #expect((meaning == old) == !file.operations.contains { $0.isFirstSector })
      let report = try file.open(.check).check()
      #expect(report.exitCode == 0, "\(count): \(report.messages)")
      if !hasFailed { break }
    }
    #expect(outcomes == [true, false])
  }

  @Test("A checkpoint that throws takes everything back")
  func cancelled() throws {
    struct Stop: Error {}
    let start = try makeImage(compat: "1.1").bytes()
    let old = try Meaning(MemoryFile(start))
    for limit in 0..<12 {
      let file = MemoryFile(start)
      var draft = try ImageDraft(file.open(.change))
      try draft.load(position: 0)
      try draft.settle { _ in }
      var passed = 0
      do {
        _ = try draft.prepare { _ in
          passed += 1
          if passed > limit { throw Stop() }
        }
      } catch is Stop {
        #expect(file.bytes.count == start.count)
        #expect(!file.operations.contains { $0.isFirstSector })
      }
      #expect(try Meaning(file) == old)
      #expect(try file.open(.check).check().exitCode == 0)
    }
  }
}
