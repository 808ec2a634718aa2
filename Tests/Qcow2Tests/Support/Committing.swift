import TestOracles
import Testing

@testable import Qcow2

extension TestImage {
  /// Changes the image as a job does: prepare, publish, finish. After each step qemu-img must find
  /// nothing wrong, and until it is published, the guest must see what it saw.
  ///
  /// - Parameters:
  ///   - fences: whether the fence is raised in between.
  ///   - sourceLocation: of the caller.
  ///   - edit: what to change.
  /// - Returns: the bytes written and freed; the image is not held any more.
  /// - Throws: what any step throws, or an expectation that failed.
  @discardableResult func commit(
    fences: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
    _ edit: (inout ImageDraft) throws -> Void
  ) throws -> (written: Int64, freed: Int64) {
    let names = try QemuImg.snapshotNames(path)
    let content = try QemuImg.contentDigest(path)
    let prepared = try prepare(edit)
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
    #expect(
      try QemuImg.snapshotNames(path, forceShare: true) == names, sourceLocation: sourceLocation)
    #expect(try digestWhileHeld() == content, sourceLocation: sourceLocation)
    if fences {
      try prepared.raiseFence()
      let refusal = try Command.attempt("qemu-img", ["check", "-U", "-f", "qcow2", path])
      #expect(refusal.status == 1, sourceLocation: sourceLocation)
      #expect(refusal.standardError.hasSuffix(fenceWords), sourceLocation: sourceLocation)
    }
    try prepared.publish()
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
    try prepared.finish()
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
    let report = try Image.open(path, for: .peek).check()
    #expect(report.exitCode == 0, "\(report.messages)", sourceLocation: sourceLocation)
    return (prepared.bytesWritten, prepared.bytesFreed)
  }

  /// Changes an image that qemu-img opens only with the key.
  func commitEncrypted(_ secret: String, _ edit: (inout ImageDraft) throws -> Void) throws {
    let prepared = try prepare(edit)
    try expectCleanWhileHeld(secret: secret)
    try prepared.publish()
    try prepared.finish()
    try expectCleanWhileHeld(secret: secret)
    let report = try Image.open(path, for: .peek).check()
    #expect(report.exitCode == 0, "\(report.messages)")
  }

  private func expectCleanWhileHeld(secret: String) throws {
    let check = try Command.attempt(
      "qemu-img",
      [
        "check", "-U", "--object", "secret,id=key,data=\(secret)", "--image-opts",
        "driver=qcow2,encrypt.key-secret=key,file.driver=file,file.filename=\(path)",
      ])
    #expect(check.status == 0, "\(check.failure())")
  }

  /// Works out a change and prepares it.
  ///
  /// - Parameter edit: what to change.
  /// - Returns: the image with everything written but the first sector.
  /// - Throws: what any step throws.
  func prepare(_ edit: (inout ImageDraft) throws -> Void) throws -> PreparedImage {
    var draft = try draft()
    try edit(&draft)
    try draft.settle { _ in }
    return try draft.prepare { _ in }
  }

  /// Takes a snapshot.
  func save(_ tag: String) throws {
    try commit {
      try $0.takeSnapshot(tag: tag, date: .init(seconds: 1_700_000_000, nanoseconds: 5))
    }
  }

  /// Loads a snapshot, behind a fence.
  func load(_ tag: String) throws {
    try commit(fences: true) { try $0.load(position: #require(try $0.position(ofTag: tag))) }
  }

  /// Deletes a snapshot.
  func delete(_ tag: String) throws {
    try commit { try $0.deleteSnapshot(position: #require(try $0.position(ofTag: tag))) }
  }

  /// Fails the test unless qemu-img finds nothing wrong, though the image is locked.
  func expectCleanWhileHeld(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let check = try Command.attempt("qemu-img", ["check", "-U", "-f", "qcow2", path])
    #expect(check.status == 0, "\(check.failure())", sourceLocation: sourceLocation)
  }

  /// The SHA-256 of what the guest sees, by qemu-img, though the image is locked.
  func digestWhileHeld() throws -> String {
    let raw = directory.path("raw")
    try Command.run("qemu-img", ["convert", "-U", "-f", "qcow2", "-O", "raw", path, raw])
    return try Command.sha256(ofFile: raw)
  }
}

extension Image {
  /// Repairs the image; each pass becomes permanent by itself.
  @discardableResult func repair(
    _ scope: RepairScope, _ checkpoint: @escaping Checkpoint = { _ in }
  ) throws -> CheckReport {
    try repair(scope, checkpoint) { prepared in
      try prepared.publish()
      try prepared.finish()
    }
  }
}
