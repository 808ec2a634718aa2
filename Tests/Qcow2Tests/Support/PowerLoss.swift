import TestOracles

@testable import Qcow2

/// Every state in which a sequence of changes can leave a file when power fails.
///
/// What was synchronised is there. Of the changes since then any may be missing: the disk and the kernel
/// write them back in any order. A write may be there in part, but never a part of a 512-byte sector.
struct PowerLoss {
  /// The file before the first change.
  let start: [UInt8]
  let operations: [FileOperation]

  /// One state after a power failure.
  struct State {
    /// How many changes had been asked for.
    let position: Int
    /// What the file contains.
    let bytes: [UInt8]
  }

  /// States in order: for each change that has been asked for, all changes there; then some in which
  /// any part of those since the last synchronisation is missing.
  ///
  /// - Parameters:
  ///   - samples: how many states with missing changes there are for each change that was asked for.
  ///   - generator: chooses what is missing.
  /// - Returns: the states; those that do not differ from the one before are left out.
  func states(samples: Int, using generator: inout SeededGenerator) -> [State] {
    var states: [State] = []
    var durable = start
    var pending: [FileOperation] = []
    func add(_ position: Int, _ bytes: [UInt8]) {
      if states.last?.bytes != bytes { states.append(State(position: position, bytes: bytes)) }
    }
    add(0, start)
    for (index, operation) in operations.enumerated() {
      if operation == .synchronize {
        for earlier in pending { earlier.apply(to: &durable) }
        pending = []
        add(index + 1, durable)
        continue
      }
      pending.append(operation)
      var all = durable
      for earlier in pending { earlier.apply(to: &all) }
      add(index + 1, all)
      for _ in 0..<samples {
        var some = durable
        for part in pending.flatMap(Self.parts) where Bool.random(using: &generator) {
          part.apply(to: &some)
        }
        add(index + 1, some)
      }
    }
    return states
  }

  /// The parts of a change that can be there without the others.
  private static func parts(_ operation: FileOperation) -> [FileOperation] {
    guard case .write(let bytes, let offset) = operation, bytes.count > 512 else {
      return [operation]
    }
    return stride(from: 0, to: bytes.count, by: 512).map { start in
      .write(Array(bytes[start..<min(start + 512, bytes.count)]), at: offset + Int64(start))
    }
  }
}

/// What an image means to its users: the active state, every snapshot and every bitmap.
struct Meaning: Hashable {
  var content: String
  var snapshots: [String: String] = [:]
  var bitmaps: [String: String] = [:]

  /// Reads everything with this engine; of a fenced image, what it means without the fence.
  init(_ file: MemoryFile) throws {
    let image = try file.unfencedCopy().open(.read)
    var reader = try GuestReader(image)
    content = "\(reader.size) " + (try reader.digest())
    for (position, snapshot) in image.snapshots.enumerated() {
      var reader = try GuestReader(image, snapshot: position)
      snapshots["\(snapshot.id) \(snapshot.name)"] = "\(reader.size) " + (try reader.digest())
    }
    for bitmap in image.bitmaps {
      bitmaps[bitmap.name] = try image.bitmapContent(named: bitmap.name).sha256()
    }
  }

  /// Reads everything with qemu-img.
  init(qemu path: String) throws {
    let describe = { (name: String?) in
      let directory = try TemporaryDirectory()
      let raw = directory.path("raw")
      try QemuImg.convert(path, toRaw: raw, snapshot: name)
      let size = try PosixFile(opening: raw, .read).length()
      return "\(size) " + (try Command.sha256(ofFile: raw))
    }
    content = try describe(nil)
    for snapshot in try QemuImg.info(path)["snapshots"]?.array ?? [] {
      let name = snapshot["name"]?.string ?? ""
      snapshots["\(snapshot["id"]?.string ?? "") \(name)"] = try describe(name)
    }
    bitmaps = try QemuBitmaps.digests(path)
  }
}
