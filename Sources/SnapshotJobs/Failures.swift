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
    self.init(kind, node.map { "\($0): \(error)" } ?? "\(error)")
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
