import Testing

/// Disks that jobs, crashes and QEMU change in turn, by chance.
@Suite struct BackupHistoryTests {
  @Test(arguments: 0..<3)
  func `no bitmap ever misses a change, and no device state is ever kept with other disks`(
    seed: Int
  ) async throws {
    var history = try BackupHistory(seed: seed)
    do {
      for _ in 0..<40 { try await history.advance() }
    } catch {
      Issue.record("seed \(seed): \(error)\nafter:\n\(history.story.joined(separator: "\n"))")
    }
  }
}
