import TestOracles
import Testing

@testable import Qcow2

/// What `qemu-img check --output=json` counts.
struct QemuFindings: Hashable {
  var exitCode: Int32
  var corruptions = 0
  var leaks = 0
  var checkErrors = 0
  var totalClusters = 0
  var allocatedClusters = 0
  var fragmentedClusters = 0
  var compressedClusters = 0
  var imageEndOffset: UInt64 = 0

  /// Of qemu-img; the numbers stay 0 where it could not check at all.
  init(qemu path: String, secret: String? = nil) throws {
    var target = ["-f", "qcow2", path]
    if let secret {
      target = [
        "--object", "secret,id=key,data=\(secret)", "--image-opts",
        "driver=qcow2,encrypt.key-secret=key,file.driver=file,file.filename=\(path)",
      ]
    }
    let result = try Command.attempt("qemu-img", ["check", "--output=json"] + target)
    exitCode = result.status
    guard [0, 2, 3].contains(exitCode) else { return }
    let json = try JSONValue(parsing: result.text)
    let number = { (name: String) in Int(json[name]?.int ?? 0) }
    corruptions = number("corruptions")
    leaks = number("leaks")
    checkErrors = number("check-errors")
    totalClusters = number("total-clusters")
    allocatedClusters = number("allocated-clusters")
    fragmentedClusters = number("fragmented-clusters")
    compressedClusters = number("compressed-clusters")
    imageEndOffset = UInt64(number("image-end-offset"))
  }

  /// Of this engine.
  init(ours path: String) throws {
    do {
      let report = try Image.open(path, for: .check).check()
      exitCode = report.exitCode
      guard exitCode != 1 else { return }
      corruptions = report.corruptions
      leaks = report.leaks
      checkErrors = report.checkErrors
      totalClusters = report.totalClusters
      allocatedClusters = report.allocatedClusters
      fragmentedClusters = report.fragmentedClusters
      compressedClusters = report.compressedClusters
      imageEndOffset = report.imageEndOffset
    } catch let error as Qcow2Error {
      exitCode = CheckReport.exitCode(for: error)
    }
  }

  /// Fails the test unless both find the same; returns what they found.
  @discardableResult static func expectSame(
    _ path: String, secret: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> QemuFindings {
    let qemu = try QemuFindings(qemu: path, secret: secret)
    let ours = try QemuFindings(ours: path)
    #expect(ours == qemu, sourceLocation: sourceLocation)
    return qemu
  }
}
