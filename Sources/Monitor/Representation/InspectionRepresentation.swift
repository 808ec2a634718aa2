import Jobs
import QMP
import SnapshotJobs

extension Result<ImageCheckReport, JobError> {
  /// The outcome of one image's check in qemu-img's words.
  func checkJSON(_ target: ImageTarget) -> QMPValue {
    let report: ImageCheckReport
    var messages: [String]
    let exitCode: Int32
    switch self {
    case .success(let value):
      (report, messages, exitCode) = (value, value.messages, value.exitCode)
    case .failure(let error):
      // 63 is qemu-img's code for formats that it has no check for.
      (report, messages) = (ImageCheckReport(), [error.message])
      exitCode = error.kind == .refused ? 63 : 1
    }
    var members: [QMPValue.Member] = [
      .init("filename", .string(target.path)), .init("format", "qcow2"),
      .init("check-errors", .int(report.checkErrors)),
      .init("corruptions", .int(report.corruptions)), .init("leaks", .int(report.leaks)),
      .init("total-clusters", .int(report.totalClusters)),
      .init("allocated-clusters", .int(report.allocatedClusters)),
      .init("fragmented-clusters", .int(report.fragmentedClusters)),
      .init("compressed-clusters", .int(report.compressedClusters)),
    ]
    if let end = report.imageEndOffset { members.append(.init("image-end-offset", .int(end))) }
    members.append(.init("exit-code", .int(Int64(exitCode))))
    members.append(.init("messages", .array(messages.map { .string($0) })))
    return [
      "target": .string(target.name), "filename": .string(target.path),
      "result": .object(members),
    ]
  }
}

extension ImageCheckReport {
  /// The type of `checkJSON`.
  static let schema = SchemaObject(
    "SnapjobCheck",
    [
      .required("target", .string), .required("filename", .string),
      .required(
        "result",
        .object(
          SchemaObject(
            "SnapjobImageCheck",
            [
              .required("filename", .string), .required("format", .string),
              .required("check-errors", .integer), .required("corruptions", .integer),
              .required("leaks", .integer), .required("total-clusters", .integer),
              .required("allocated-clusters", .integer),
              .required("fragmented-clusters", .integer),
              .required("compressed-clusters", .integer),
              .optional("image-end-offset", .integer), .required("exit-code", .integer),
              .required("messages", .array(.string)),
            ]))),
    ])
}

extension Result<VerifyReport, JobError> {
  /// The outcome of one image's comparison.
  func verifyJSON(_ target: ImageTarget, secondReader: String) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("target", .string(target.name)), .init("filename", .string(target.path)),
    ]
    switch self {
    case .success(let report):
      members += [
        .init("bytes-equal", QMPValue(report.bytesEqual)),
        .init("differences", .array(report.differences.map(Self.json))),
        .init("left-out", Self.json(report.leftOut)),
        .init("second-reader", .string(secondReader)),
        .init("exit-code", .int(report.differences.isEmpty ? 0 : 2)),
      ]
      if let problem = report.secondReaderProblem {
        members.append(.init("problem", .string(problem)))
      }
    case .failure(let error):
      members += [
        .init("bytes-equal", 0), .init("differences", []), .init("left-out", [:]),
        .init("second-reader", .string(secondReader)),
        .init("exit-code", .int(Int64(ExitCode(error.kind).rawValue))),
        .init("problem", .string(error.message)),
      ]
    }
    return .object(members)
  }

  private static func json(_ range: Range<UInt64>) -> QMPValue {
    [
      "offset": QMPValue(range.lowerBound), "length": QMPValue(range.upperBound - range.lowerBound),
    ]
  }

  private static func json(_ leftOut: [String: UInt64]) -> QMPValue {
    .object(leftOut.sorted { $0.key < $1.key }.map { .init($0.key, QMPValue($0.value)) })
  }
}

extension VerifyReport {
  /// The type of `verifyJSON`; `left-out` has reasons as names and clusters as values.
  static let schema = SchemaObject(
    "SnapjobVerify",
    [
      .required("target", .string), .required("filename", .string),
      .required("bytes-equal", .unsigned),
      .required(
        "differences",
        .array(
          .object(
            SchemaObject(
              "SnapjobRange",
              [.required("offset", .unsigned), .required("length", .unsigned)])))),
      .required("left-out", .any), .required("second-reader", .string),
      .required("exit-code", .integer), .optional("problem", .string),
    ])
}
