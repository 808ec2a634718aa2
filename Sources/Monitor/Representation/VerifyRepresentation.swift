import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension Result<VerifyReport, JobError> {
  /// The outcome of one image's verification.
  func verifyJSON(_ target: ImageTarget, secondReader: String) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("target", .string(target.name)), .init("filename", .string(target.path)),
    ]
    switch self {
    case .success(let report):
      members += report.members
      members += [
        .init("second-reader", .string(secondReader)),
        .init("exit-code", .int(report.isSound ? 0 : 2)),
      ]
      if let problem = report.secondReaderProblem {
        members.append(.init("problem", .string(problem)))
      }
    case .failure(let error):
      members += VerifyReport.emptyMembers
      members += [
        .init("second-reader", .string(secondReader)),
        .init("exit-code", .int(Int64(ExitCode(error.kind).rawValue))),
        .init("problem", .string(error.message)),
      ]
    }
    return .object(members)
  }
}

extension VerifyReport {
  /// What was found, without names and outcome.
  fileprivate var members: [QMPValue.Member] {
    let leftOut = leftOut.sorted { $0.key < $1.key }.map { QMPValue.Member($0, QMPValue($1)) }
    return [
      .init("states", .array(states.map { $0.json(backingFileName: backingFileName) })),
      .init("structure-problems", .array(structureProblems.map { .string($0) })),
      .init("bytes-equal", QMPValue(bytesEqual)),
      .init("differences", .array(differences.map { .object($0.members) })),
      .init("left-out", .object(leftOut)),
    ]
  }

  /// What there is to say of an image that could not be read.
  fileprivate static let emptyMembers: [QMPValue.Member] = [
    .init("states", []), .init("structure-problems", []), .init("bytes-equal", 0),
    .init("differences", []), .init("left-out", [:]),
  ]

  /// The type of `verifyJSON`; `left-out` has reasons as names and clusters as values.
  static let schema = SchemaObject(
    "SnapjobVerify",
    [
      .required("target", .string), .required("filename", .string),
      .required("states", .array(.object(State.schema))),
      .required("structure-problems", .array(.string)),
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

extension VerifyReport.State {
  fileprivate func json(backingFileName: String?) -> QMPValue {
    let problems = content.problems.map { problem in
      QMPValue.object(problem.range.members + [.init("text", .string(problem.text))])
    }
    return [
      "tag": QMPValue(tag), "id": QMPValue(id), "size": QMPValue(content.size),
      "digest": QMPValue(content.digest), "bytes-read": QMPValue(content.bytesRead),
      "bytes-from-backing-file": QMPValue(content.bytesFromBackingFile),
      "backing-file": QMPValue(backingFileName),
      "bytes-encrypted": QMPValue(content.bytesEncrypted),
      "vm-state-bytes-read": QMPValue(content.vmStateBytesRead),
      "problem-count": .int(Int64(content.problemCount)), "problems": .array(problems),
      "device-state-problem": QMPValue(deviceStateProblem),
    ]
  }

  /// The type of a state: `tag` and `id` are null for the active one, `digest` is null unless all of it
  /// was read and is sound; at most 1000 problems are listed.
  fileprivate static let schema = SchemaObject(
    "SnapjobVerifyState",
    [
      .nullable("tag", .string), .nullable("id", .string), .required("size", .unsigned),
      .nullable("digest", .string), .required("bytes-read", .unsigned),
      .required("bytes-from-backing-file", .unsigned), .nullable("backing-file", .string),
      .required("bytes-encrypted", .unsigned), .required("vm-state-bytes-read", .unsigned),
      .required("problem-count", .integer),
      .required(
        "problems",
        .array(
          .object(
            SchemaObject(
              "SnapjobContentProblem",
              [
                .required("offset", .unsigned), .required("length", .unsigned),
                .required("text", .string),
              ])))),
      .nullable("device-state-problem", .string),
    ])
}

extension Range<UInt64> {
  /// A range of the disk.
  fileprivate var members: [QMPValue.Member] {
    [
      .init("offset", QMPValue(lowerBound)), .init("length", QMPValue(upperBound - lowerBound)),
    ]
  }
}
