internal import Jobs
internal import Qcow2

/// What recovery has opened in the place of one image of a commit.
enum MemberPlace: Sendable {
  /// Its write locks are held.
  case locked(SectorFile)
  /// Somebody else holds it; its first sector can be read.
  case held(SectorFile, by: JobError)
  /// It cannot be looked at.
  case away(JobError)
  /// It is no file that could be an image.
  case other(String)

  /// Opens and locks a file.
  init(_ path: String, _ files: any FileAccess) {
    do throws(Qcow2Error) {
      self = .locked(try SectorFile(opening: path, .write, access: files))
    } catch {
      switch error.code {
      case .wrongFileType: self = .other("\(error)")
      case .inUse:
        if let file = try? SectorFile(opening: path, .peek, access: files) {
          self = .held(file, by: JobError(error))
        } else {
          self = .away(JobError(error))
        }
      default: self = .away(JobError(error))
      }
    }
  }

  /// The file where it may be written.
  var file: SectorFile? { if case .locked(let file) = self { file } else { nil } }

  /// Lets go of it.
  func unlock() { file?.unlock() }

  /// What is there now.
  ///
  /// - Parameters:
  ///   - intent: the commit.
  ///   - index: the member whose place it is.
  /// - Returns: its state.
  func state(in intent: CommitIntent, _ index: Int) -> MemberState {
    switch self {
    case .locked(let file): Self.state(of: file, isHeld: false, intent, index)
    case .held(let file, _): Self.state(of: file, isHeld: true, intent, index)
    case .away(let error): .away(error)
    case .other(let reason): .other(reason)
    }
  }

  private static func state(
    of file: SectorFile, isHeld: Bool, _ intent: CommitIntent, _ index: Int
  ) -> MemberState {
    let read: FirstSector?
    do throws(Qcow2Error) { read = try file.read() } catch { return .away(JobError(error)) }
    guard let sector = read, sector.isQcow2 else {
      return .other("\(file.path): it is no qcow2 image any more")
    }
    for (number, member) in intent.members.enumerated() {
      if sector == member.sectors.fenced {
        return .fenced(of: number, sector: .fenced, isHeld: isHeld)
      }
      if sector == member.sectors.afterFenced {
        return .fenced(of: number, sector: .afterFenced, isHeld: isHeld)
      }
    }
    if let mark = sector.fenceMark {
      guard mark.commit != intent.id else {
        return .other("\(file.path): its fence is not as it was written")
      }
      return .foreignFence(mark, isHeld: isHeld)
    }
    if sector.hasMarkedFence {
      return .other("\(file.path): it has the fence of an earlier snapjob")
    }
    let own = intent.members[index].sectors
    if let mark = sector.mark, mark.carries(intent.id) {
      return .published(isAfter: sector == own.after, isHeld: isHeld)
    }
    return .plain(isBefore: sector == own.before, isHeld: isHeld)
  }
}
