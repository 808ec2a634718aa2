import Glibc
import SystemPackage

/// Who holds an image: the processes that can be seen to.
///
/// `/proc/locks` names no process for QEMU's kind of locks; the `lock:` lines in the `fdinfo` of each
/// process's descriptors do, for the processes that this user may look into.
public struct LockHolder: Sendable, Hashable, CustomStringConvertible {
  /// One process.
  public struct Process: Sendable, Hashable, CustomStringConvertible {
    /// Its id.
    public let pid: Int32
    /// The program's file name, without directories.
    public let program: String
    /// The virtual machine's name, the value of QEMU's `-name`; nil if it has none.
    public let machineName: String?

    /// The program, the id and the machine: `qemu-system-x86_64 (pid 4711, -name web01)`.
    public var description: String {
      "\(program) (pid \(pid)\(machineName.map { ", -name \($0)" } ?? ""))"
    }
  }

  /// The processes in ascending order of their ids; empty if none can be seen.
  public let processes: [Process]

  /// The processes as they stand after "in use by".
  public var description: String {
    guard !processes.isEmpty else { return "another user's process or another host" }
    return processes.map(\.description).joined(separator: " and ")
  }

  /// Looks through the processes of this machine.
  ///
  /// - Parameters:
  ///   - bytes: offsets in the file; a lock on any of them counts.
  ///   - file: the file; locks held through its own descriptor do not count.
  /// - Returns: the holders; those that this user may not see are missing.
  static func find(ofBytes bytes: [Int64], in file: any ImageFile) -> LockHolder {
    let own = getpid()
    var processes: [Process] = []
    for pid in ProcessTable.processIDs() {
      for number in ProcessTable.descriptors(of: pid) {
        if pid == own, number == file.descriptor?.rawValue { continue }
        let locks = ProcessTable.locks(pid, descriptor: number)
        guard locks.contains(where: { lock in bytes.contains(where: lock.range.contains) }),
          ProcessTable.identity(pid, descriptor: number) == file.identity
        else { continue }
        processes.append(ProcessTable.process(pid))
        break
      }
    }
    return LockHolder(processes: processes)
  }
}
