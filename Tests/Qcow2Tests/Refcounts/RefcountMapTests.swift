import TestOracles
import Testing

@testable import Qcow2

@Suite struct RefcountMapTests {
  private let geometry = ClusterGeometry(clusterBits: 9, refcountOrder: 4, hasExtendedL2: false)

  /// A map with three blocks, the middle one missing, and counts in them.
  private func makeMap(
    _ generator: inout SeededGenerator, limit: Int = 1 << 47
  ) -> (map: RefcountMap, counts: [UInt32]) {
    var counts = (0..<768).map { _ in
      Bool.random(using: &generator) ? 0 : UInt32.random(in: 1...3, using: &generator)
    }
    for index in 256..<512 { counts[index] = 0 }
    // The header and the blocks themselves.
    for index in 0..<3 { counts[index] = 1 }
    let map = RefcountMap(
      geometry: geometry,
      blocks: [Array(counts[..<256]), [], Array(counts[512...])],
      blockClusters: [HostCluster(1), nil, HostCluster(2)], clusterLimit: limit)
    return (map, counts)
  }

  @Test("What is handed out was free on disk and is handed out once", arguments: 0..<20)
  func allocation(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var (map, counts) = makeMap(&generator)
    var taken: Set<Int> = []
    for _ in 0..<200 {
      let wanted = Int.random(in: 1...9, using: &generator)
      let minimum = Int.random(in: 1...wanted, using: &generator)
      let run = try map.allocate(upTo: wanted, atLeast: minimum)
      #expect((minimum...wanted).contains(run.count))
      for index in run.first.index..<run.end {
        #expect(index > 0)
        #expect(index >= counts.count || counts[index] == 0)
        #expect(taken.insert(index).inserted)
        #expect(map[HostCluster(index)] == 0)
      }
      // Freeing a cluster that was in use on disk does not make it free to be written.
      if let used = counts.indices.randomElement(using: &generator), map[HostCluster(used)] == 1,
        counts[used] == 1
      {
        try map.add(-1, to: HostCluster(used))
      }
    }
  }

  @Test("The first run that is long enough is taken, as near to the start as possible")
  func firstFit() throws {
    var counts = [UInt32](repeating: 1, count: 256)
    for index in [10, 20, 21, 22, 30, 31, 32, 33, 34] { counts[index] = 0 }
    var map = RefcountMap(
      geometry: geometry, blocks: [counts], blockClusters: [HostCluster(1)], clusterLimit: 1 << 47)
    #expect(try map.allocate(4) == HostRun(first: HostCluster(30), count: 4))
    #expect(try map.allocate(1) == HostRun(first: HostCluster(10), count: 1))
    #expect(try map.allocate(3) == HostRun(first: HostCluster(20), count: 3))
    #expect(try map.allocate(1) == HostRun(first: HostCluster(34), count: 1))
    #expect(try map.allocate(1000) == HostRun(first: HostCluster(256), count: 1000))
    #expect(map.end == 256)
  }

  @Test("Adding counts exactly, within the width and the references that are there")
  func addition() throws {
    var generator = SeededGenerator(seed: 1)
    var (map, counts) = makeMap(&generator)
    let used = try #require(counts.indices.first { counts[$0] == 2 })
    let free = try #require(counts.indices.first { counts[$0] == 0 })
    #expect(!map.hasReachedOne)
    try map.add(-1, to: HostCluster(used))
    #expect(map[HostCluster(used)] == 1)
    #expect(map.hasReachedOne)
    try map.add(-1, to: HostCluster(used))
    #expect(map[HostCluster(used)] == 0)
    for (delta, cluster, code) in [
      (-1, used, .corrupt), (1, free, .corrupt), (1, 300, .corrupt), (1, 1 << 40, .corrupt),
      (65536, used, .tooManyReferences),
    ] as [(Int, Int, Qcow2Error.Code)] {
      let error = try #require(throws: Qcow2Error.self) {
        try map.add(delta, to: HostCluster(cluster))
      }
      #expect(error.code == code)
    }
    try map.add(65535, to: HostCluster(used))
    #expect(map[HostCluster(used)] == 65535)
    #expect(map.changedBlocks == [used / 256])
  }

  @Test("Changed blocks move to new places, and describe these too", arguments: 0..<10)
  func relocation(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var (map, counts) = makeMap(&generator)
    let run = try map.allocate(700)
    for index in 0..<700 { try map.add(1, to: run[index]) }
    try map.relocateChangedBlocks()
    #expect(Set(map.movedBlocks.keys) == Set(map.changedBlocks))
    let places = map.movedBlocks.values.map(\.index)
    #expect(Set(places).count == places.count)
    for (block, place) in map.movedBlocks {
      #expect(map[place] == 1)
      #expect(place.index >= counts.count || counts[place.index] == 0)
      #expect(map.blockClusters[block] == place)
      #expect(map.changedBlocks.contains(place.index / 256))
    }
    if map.movedBlocks[0] != nil { #expect(map[HostCluster(1)] == 0) }
    // Moving again moves nothing.
    let moved = map.movedBlocks
    try map.relocateChangedBlocks()
    #expect(map.movedBlocks == moved)
    // What is encoded is what the map says.
    for block in map.changedBlocks {
      let decoded = try RefcountBlockCoding.decode(map.encodedBlock(block)[...], order: 4)
      #expect(decoded == (0..<256).map { map[HostCluster(block * 256 + $0)] })
    }
  }

  @Test("What was in use and is not any more is freed, and nothing else", arguments: 0..<10)
  func freedRuns(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var (map, counts) = makeMap(&generator)
    var expected: Set<Int> = []
    for index in counts.indices
    where counts[index] > 0 && Int.random(in: 0..<4, using: &generator) == 0 {
      try map.add(-Int(counts[index]), to: HostCluster(index))
      if index < 600 { expected.insert(index) }
    }
    let runs = map.freedRuns(below: 600)
    #expect(Set(runs.flatMap { Array($0.first.index..<$0.end) }) == expected)
    #expect(runs.reduce(0) { $0 + $1.count } == expected.count)
  }

  @Test("A full block device is out of space")
  func fullDevice() throws {
    let counts = [UInt32](repeating: 1, count: 90) + [UInt32](repeating: 0, count: 166)
    var map = RefcountMap(
      geometry: geometry, blocks: [counts], blockClusters: [HostCluster(1)], clusterLimit: 100)
    #expect(try map.allocate(upTo: 50, atLeast: 5) == HostRun(first: HostCluster(90), count: 10))
    let error = try #require(throws: Qcow2Error.self) { try map.allocate(1) }
    #expect(error.code == .noSpace)
  }
}
