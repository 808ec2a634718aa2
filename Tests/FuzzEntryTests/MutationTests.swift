import Foundation
import Qcow2
import TestOracles
import Testing

@testable import FuzzEntry

/// Damaged images: whatever a change makes of one, `qemu-img check` finds nothing worse afterwards, and what was not
/// meant reads as before.
///
/// `SNAPJOB_MUTATION_SEED` chooses other damages, `SNAPJOB_TESTS=full` tries ten times as many.
@Suite struct MutationTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seed = environment["SNAPJOB_MUTATION_SEED"].flatMap(UInt64.init) ?? 1
  private static let imageCount = environment["SNAPJOB_TESTS"] == "full" ? 5000 : 500

  private let directory: TemporaryDirectory
  private let seeds: [(name: String, bytes: [UInt8])]

  init() throws {
    directory = try TemporaryDirectory()
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let place = root.appendingPathComponent("Fuzz/seeds/FuzzImage")
    // The large one would take most of the time.
    seeds = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
      .map { ($0, [UInt8](try Data(contentsOf: place.appendingPathComponent($0)))) }
      .filter { $0.1.count < 64 << 10 }
  }

  @Test func `a change of a damaged image makes it no worse and touches nothing else`() throws {
    #expect(seeds.count >= 14)
    var random = SeededGenerator(seed: Self.seed)
    var (changed, refused) = (0, 0)
    for number in 0..<Self.imageCount {
      guard let (name, original) = seeds.randomElement(using: &random) else { return }
      let bytes = mutated(original, &random)
      guard let image = try? MemoryFile(bytes).open(.peek),
        let edit = ImageEdit.all(for: image).randomElement(using: &random)
      else {
        refused += 1
        continue
      }
      let what = Comment("seed \(Self.seed), image \(number) (\(name)): \(edit.name)")
      let before = ImageLook(MemoryFile(bytes))
      let file = MemoryFile(bytes)
      let isDone = try ImageExercise.perform(edit, on: file)
      let after = ImageLook(file)
      guard isDone else {
        refused += 1
        #expect(throws: Never.self, what) { try after.requireStates(of: before, edit.name) }
        continue
      }
      changed += 1
      // Who trusts counts that are too low overwrites what is in use, as QEMU does.
      if before.rank < 2 { #expect(throws: Never.self, what) { try edit.judge(before, after) } }
      try expectNoWorse(bytes, file.bytes, what)
    }
    // A test that nothing passes through shows nothing.
    #expect(changed > Self.imageCount / 10)
    #expect(refused > Self.imageCount / 10)
  }

  /// Some bytes of the first clusters, where headers and tables are, become others.
  private func mutated(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let position = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[position] = UInt8.random(in: .min ... .max, using: &random)
      case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes[position] = [0, 1, 2, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
      default:
        // An entry of a table in the place of another.
        let (from, to) = (position & ~7, Int.random(in: 0..<bytes.count / 8, using: &random) * 8)
        for index in 0..<8 where from + index < bytes.count {
          bytes[to + index] = bytes[from + index]
        }
      }
    }
    return bytes
  }

  /// Compares what `qemu-img check` says.
  private func expectNoWorse(_ before: [UInt8], _ after: [UInt8], _ what: Comment) throws {
    let old = try rank(before)
    guard try rank(after) > old else { return }
    // Counts of clusters behind the end of the file are no leaks until the file has grown.
    let missing = max(0, after.count - before.count)
    let grown = before + [UInt8](repeating: 0, count: missing)
    #expect(try rank(after) <= rank(grown), what)
  }

  /// How bad an image is, by qemu-img's exit codes in the order of what they mean.
  private func rank(_ bytes: [UInt8]) throws -> Int {
    let path = directory.path("image.qcow2")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return switch try QemuImg.check(path).status {
    case 0: 0
    case 3: 1
    case 2: 2
    default: 3
    }
  }
}
