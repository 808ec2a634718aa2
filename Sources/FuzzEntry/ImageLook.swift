import Qcow2

/// All that can be seen of an image: what the check says, and what each state contains.
struct ImageLook {
  /// One state of the disk.
  struct State {
    /// Its tag and id; empty for the active state.
    let name: [UInt8]
    let id: String
    /// SHA-256 of the disk; nil if `verify` finds something wrong with the state, or it takes too long.
    let disk: String?
    /// Its VM state; nil if it has none, or it cannot be read.
    let vmState: [UInt8]?

    /// Whether all that was in order is the same now.
    func isKept(in other: State?) -> Bool {
      guard disk != nil else { return other?.name == name && other?.id == id }
      return other?.name == name && other?.id == id && other?.disk == disk
        && other?.vmState == vmState
    }
  }

  /// What the check says; nil if the image cannot be checked.
  let report: CheckReport?
  /// The active state; nil if the image cannot be opened.
  let active: State?
  /// The snapshots in table order.
  let snapshots: [State]
  /// Bytes of the file.
  let length: Int64

  /// Disks and VM states above this size are not read to their ends.
  private static let readByteCount: UInt64 = 4 << 20

  /// Looks at a file.
  init(_ file: MemoryFile) {
    length = Int64(file.bytes.count)
    report = try? file.open(.check).check()
    guard let image = try? file.open(.read) else {
      active = nil
      snapshots = []
      return
    }
    var verification = try? ImageVerification(image)
    active = State(
      name: [], id: "", disk: Self.digest(&verification, nil, image.virtualSize), vmState: nil)
    snapshots = image.snapshots.enumerated().map { position, snapshot in
      State(
        name: snapshot.nameBytes, id: snapshot.id,
        disk: Self.digest(&verification, position, snapshot.diskSize),
        vmState: Self.vmState(of: position, image))
    }
  }

  private static func digest(
    _ verification: inout ImageVerification?, _ position: Int?, _ size: UInt64
  ) -> String? {
    // Zeros are hashed, too: a disk of petabytes would take years.
    guard size <= readByteCount else { return nil }
    return try? verification?.readState(snapshot: position).digest
  }

  private static func vmState(of position: Int, _ image: Image) -> [UInt8]? {
    guard image.snapshots[position].vmStateSize > 0,
      var reader = try? VMStateReader(image, snapshot: position),
      reader.byteCount <= readByteCount
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(reader.byteCount))
    let count = bytes.withUnsafeMutableBytes { try? reader.read(into: $0, at: 0) }
    return count == bytes.count ? bytes : nil
  }

  /// Whether all snapshots are there still that were in order, in their order.
  func keeps(_ snapshots: [State]) -> Bool {
    snapshots.count <= self.snapshots.count
      && zip(snapshots, self.snapshots).allSatisfy { $0.isKept(in: $1) }
  }

  /// Looks whether all states are there that were in order.
  ///
  /// - Parameters:
  ///   - before: the image as it was.
  ///   - name: what was done, for the finding.
  /// - Throws: a finding.
  func requireStates(of before: ImageLook, _ name: String) throws(Finding) {
    try require(before.active?.isKept(in: active) ?? true, "\(name) changed the active state")
    try require(keeps(before.snapshots), "\(name) changed a snapshot")
  }

  /// How bad the image is by the exit codes of `qemu-img check`, in the order of what they mean; higher is worse.
  var rank: Int {
    switch report?.exitCode {
    case 0: 0
    case 3: 1
    case 2: 2
    default: 3
    }
  }

  /// Whether the check finds nothing worse than before. How often a corruption is met says nothing: a snapshot more
  /// leads to it, too.
  func isAsGood(as before: ImageLook) -> Bool {
    guard rank < 2, rank == before.rank else { return rank <= before.rank }
    return (report?.leaks ?? 0) <= (before.report?.leaks ?? 0)
  }
}
