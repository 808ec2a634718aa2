public import Jobs
public import Qcow2

extension JobError {
  /// A failure of the image engine as a job reports it: the only place where the engine's codes are
  /// mapped.
  ///
  /// - Parameters:
  ///   - error: the engine's failure.
  ///   - node: the node that it concerns; its name opens the sentence.
  public init(_ error: Qcow2Error, node: String? = nil) {
    let kind: FailureKind =
      switch error.code {
      case .notFound: .notFound
      case .permission: .permission
      case .noSpace: .noSpace
      case .inUse: .inUse
      case .wrongFileType, .notQcow2, .malformed, .unsupported, .overLimit, .corrupt, .noRoom,
        .tooManyReferences:
        .refused
      case .conflict, .commitPending: .conflict
      case .io: .general
      }
    let text = node.map { "\($0): \(error)" } ?? "\(error)"
    self.init(kind, error.advice?.ending(text, aboutFile: error.path) ?? text)
  }

  /// Any failure as a job reports it.
  public init(wrapping error: any Error, node: String? = nil) {
    switch error {
    case let error as JobError: self = error
    case let error as Qcow2Error: self.init(error, node: node)
    default: self.init(.general, node.map { "\($0): \(error)" } ?? "\(error)")
    }
  }
}

extension Advice {
  /// A sentence about an image, with the command to run.
  ///
  /// - Parameters:
  ///   - text: the sentence so far.
  ///   - path: the image; nil for that, or those, of the command line.
  /// - Returns: the sentence with the command in it.
  public func ending(_ text: String, aboutFile path: String?) -> String {
    let image = path.map { [$0] } ?? []
    let abandon = NextStep("recover", "--abandon", "--file", path ?? "FILE")
    let end =
      switch self {
      case .check: "run \(NextStep(["check"] + image))"
      case .repair: "repair it with: \(NextStep(["check"] + image + ["--repair", "all"]))"
      case .create:
        "make one elsewhere with: \(NextStep("node", "create", "NODE", "FILE", "--size", "SIZE"))"
      case .finishOrAbandon:
        "finish it, with the catalog that made it: \(NextStep(["recover"], catalog: "CATALOG")); "
          + "or give it up: \(abandon)"
      case .abandon: "or give it up: \(abandon)"
      case .takeMarker:
        "take it away with: \(NextStep(["check"] + image + ["--repair", "leaks"]))"
      }
    return "\(text); \(end)"
  }
}
