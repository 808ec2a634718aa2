import Jobs
import Qcow2

extension JobError {
  /// A failure of the image engine as a job reports it.
  init(_ error: Qcow2Error) {
    let kind: FailureKind =
      switch error.code {
      case .notFound: .notFound
      case .permission: .permission
      case .noSpace: .noSpace
      case .inUse: .inUse
      case .conflict: .conflict
      case .io: .general
      case .wrongFileType, .notQcow2, .malformed, .unsupported, .overLimit, .corrupt, .noRoom,
        .tooManyReferences:
        .refused
      }
    self.init(kind, error.description)
  }
}
