public import SystemPackage

/// A failure of the image engine: what, in which file, where in it, why, and what to do about it.
public struct Qcow2Error: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of failure; stable, unlike the message.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The file, or something named in the image, does not exist.
    case notFound
    /// The system does not allow it.
    case permission
    /// The filesystem or a quota is full.
    case noSpace
    /// Another program holds the image; trying again can help.
    case inUse
    /// A directory, FIFO, socket or character device.
    case wrongFileType
    /// The file does not start as a qcow2 image does.
    case notQcow2
    /// A field has a value that the format does not allow.
    case malformed
    /// A feature that this program does not have.
    case unsupported
    /// A size or number is above a limit.
    case overLimit
    /// Metadata contradict each other.
    case corrupt
    /// The system could not read, write or make durable.
    case io
    /// Something is there that excludes what was asked for.
    case conflict
    /// The image is fenced: a commit over several images is not finished.
    case commitPending
    /// The first sector has no room for what must be kept in it.
    case noRoom
    /// A cluster would have more references than its refcount can count.
    case tooManyReferences
  }

  /// The kind of failure.
  public let code: Code
  /// The cause, without the file's name, and what to do outside of this program.
  public let message: String
  /// The file; nil where the failing code does not know it (see ``in(_:)``).
  public let path: String?
  /// The byte offset in the file that the failure is about, if it is about one.
  public let offset: UInt64?
  /// The system's own error, if it reported one.
  public let cause: Errno?
  /// Who is in the way, if the code is ``Code/inUse`` and it is a matter of locks.
  public let holder: LockHolder?
  /// Whose fence the image has, if the code is ``Code/commitPending``.
  public let fence: FenceMark?
  /// What this program can do about it; nil for nothing.
  public let advice: Advice?

  /// Makes an error.
  public init(
    _ code: Code, _ message: String, path: String? = nil, offset: UInt64? = nil,
    cause: Errno? = nil, holder: LockHolder? = nil, fence: FenceMark? = nil,
    advice: Advice? = nil
  ) {
    self.code = code
    self.message = message
    self.path = path
    self.offset = offset
    self.cause = cause
    self.holder = holder
    self.fence = fence
    self.advice = advice
  }

  /// The file, the place in it and the cause. A message that starts with "is" goes on
  /// from the file's name.
  public var description: String {
    let place = offset.map { "offset 0x" + String($0, radix: 16) }
    let subject = [path, place].compactMap(\.self).joined(separator: ", ")
    if subject.isEmpty { return message }
    return message.hasPrefix("is ") ? "\(subject) \(message)" : "\(subject): \(message)"
  }

  /// The same error with the file's name, where it had none.
  public func `in`(_ path: String) -> Qcow2Error {
    Qcow2Error(
      code, message, path: self.path ?? path, offset: offset, cause: cause, holder: holder,
      fence: fence, advice: advice)
  }
}

extension Qcow2Error {
  /// The file does not start with `QFI\xfb`, or is too short to.
  public static func notQcow2(_ message: String, path: String? = nil) -> Qcow2Error {
    Qcow2Error(.notQcow2, message, path: path)
  }

  /// A field's value is not allowed.
  public static func malformed(_ message: String, at offset: UInt64? = nil) -> Qcow2Error {
    Qcow2Error(.malformed, message, offset: offset)
  }

  /// A feature that this program does not have.
  public static func unsupported(_ message: String, at offset: UInt64? = nil) -> Qcow2Error {
    Qcow2Error(.unsupported, message, offset: offset)
  }

  /// Above a limit.
  public static func overLimit(_ message: String, at offset: UInt64? = nil) -> Qcow2Error {
    Qcow2Error(.overLimit, message, offset: offset)
  }

  /// Metadata contradict each other; a check says more unless something else is advised.
  public static func corrupt(
    _ message: String, at offset: UInt64? = nil, advice: Advice? = .check
  ) -> Qcow2Error {
    Qcow2Error(.corrupt, message, offset: offset, advice: advice)
  }

  /// An entry of the snapshot table has more extra data than QEMU reads.
  static func tooMuchExtraData(ofSnapshotEntry index: Int) -> Qcow2Error {
    Qcow2Error(
      .overLimit, "Too much extra metadata in snapshot table entry \(index)", advice: .repair)
  }

  /// Something is missing.
  public static func notFound(_ message: String, path: String? = nil) -> Qcow2Error {
    Qcow2Error(.notFound, message, path: path)
  }

  /// Something is in the way.
  public static func conflict(_ message: String, path: String? = nil) -> Qcow2Error {
    Qcow2Error(.conflict, message, path: path)
  }

  /// Somebody holds it.
  public static func inUse(_ message: String, path: String? = nil) -> Qcow2Error {
    Qcow2Error(.inUse, message, path: path)
  }

  /// The image is fenced.
  public static func commitPending(_ fence: FenceMark, path: String? = nil) -> Qcow2Error {
    Qcow2Error(
      .commitPending,
      "a commit over \(fence.memberCount) images is pending on it (it is number \(fence.member + 1); commit "
        + "\(fence.commit) of catalog \(fence.catalog))",
      path: path, fence: fence, advice: .finishOrAbandon)
  }

  /// The first sector is full.
  public static func noRoom(_ message: String, path: String? = nil) -> Qcow2Error {
    Qcow2Error(.noRoom, message, path: path)
  }

  /// A refcount would overflow.
  public static func tooManyReferences(
    _ message: String, at offset: UInt64? = nil
  ) -> Qcow2Error {
    Qcow2Error(.tooManyReferences, message, offset: offset)
  }

  /// A system call failed.
  ///
  /// - Parameters:
  ///   - cause: what the system reported.
  ///   - action: what was tried, as it stands after "cannot": `read`, `open it for writing`.
  ///   - path: the file.
  ///   - offset: where in the file, in bytes, for reads and writes.
  /// - Returns: an error whose code follows from the cause.
  public static func system(
    _ cause: Errno, cannot action: String, path: String, at offset: UInt64? = nil
  ) -> Qcow2Error {
    let (code, advice) = codeAndAdvice(for: cause)
    return Qcow2Error(
      code, "cannot \(action): \(cause). \(advice)", path: path, offset: offset, cause: cause)
  }

  private static func codeAndAdvice(for cause: Errno) -> (Code, String) {
    switch cause {
    case .noSuchFileOrDirectory, .notDirectory:
      (.notFound, "Check the path")
    case .permissionDenied, .notPermitted:
      (.permission, "Run as a user who may, or change the file's owner or mode")
    case .readOnlyFileSystem:
      (.permission, "Mount its filesystem writable")
    case .noSpace:
      (.noSpace, "Free space on its filesystem, then try again")
    case .diskQuotaExceeded:
      (.noSpace, "Free space in the quota, then try again")
    case .resourceBusy, .textFileBusy, .resourceTemporarilyUnavailable:
      (.inUse, "Try again when the other program is done with it")
    case .fileExists:
      (.conflict, "Choose another path, or remove the file")
    case .ioError:
      (.io, "The storage failed; the kernel's log says more")
    case .fileTooLarge:
      (.io, "The filesystem or a resource limit does not allow files of this size")
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
      (.io, "Raise the limit of open files")
    default:
      (.io, "Nothing that the image needs was changed")
    }
  }
}
