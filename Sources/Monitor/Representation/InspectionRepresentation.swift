import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension Result<CheckReport, Qcow2Error> {
  /// The outcome of one image's check in qemu-img's words.
  func checkJSON(_ target: ImageTarget) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("filename", .string(target.path)), .init("format", "qcow2"),
    ]
    switch self {
    case .success(let report):
      members += report.counts.map { .init($0, .int(Int64($1))) }
      members.append(.init("image-end-offset", QMPValue(report.imageEndOffset)))
      members.append(.init("exit-code", .int(Int64(report.exitCode))))
      members.append(.init("messages", .list(report.sentences)))
    case .failure(let error):
      members.append(.init("exit-code", .int(Int64(CheckReport.exitCode(for: error)))))
      members.append(.init("messages", .list([error.sentence])))
    }
    return [
      "target": .string(target.name), "filename": .string(target.path),
      "result": .object(members),
    ]
  }
}

extension ImageTarget {
  /// The outcome of a check of what is not there; 1 is qemu-img's code for what it cannot check.
  func uncheckedJSON(_ problem: JobError) -> QMPValue {
    [
      "target": .string(name), "filename": .string(path),
      "result": [
        "filename": .string(path), "format": "qcow2", "exit-code": 1,
        "messages": [.string(problem.message)],
      ],
    ]
  }
}

extension Qcow2Error {
  /// Why a check failed; another check would say the same.
  fileprivate var sentence: String {
    advice == .check ? description : JobError(self).message
  }
}

extension CheckReport {
  /// The findings and the remarks.
  fileprivate var sentences: [String] {
    messages + remarks.map { $0.advice?.ending($0.text, aboutFile: nil) ?? $0.text }
  }

  /// The numbers of the report by their names in qemu-img's JSON.
  fileprivate var counts: [(String, Int)] {
    [
      ("check-errors", checkErrors), ("corruptions", corruptions), ("leaks", leaks),
      ("total-clusters", totalClusters), ("allocated-clusters", allocatedClusters),
      ("fragmented-clusters", fragmentedClusters),
      ("compressed-clusters", compressedClusters), ("leaks-fixed", leaksFixed),
      ("corruptions-fixed", corruptionsFixed),
    ]
  }

  /// The type of `checkJSON`; the numbers are absent if the image cannot be checked.
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
              .optional("check-errors", .integer), .optional("corruptions", .integer),
              .optional("leaks", .integer), .optional("total-clusters", .integer),
              .optional("allocated-clusters", .integer),
              .optional("fragmented-clusters", .integer),
              .optional("compressed-clusters", .integer), .optional("leaks-fixed", .integer),
              .optional("corruptions-fixed", .integer),
              .optional("image-end-offset", .unsigned), .required("exit-code", .integer),
              .required("messages", .array(.string)),
            ]))),
    ])
}
