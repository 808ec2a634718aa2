import FileNames
public import QMP
import SystemPackage

/// A job file: machines, their disks, and jobs in QMP's own words, as `snapjob run` takes them.
///
/// ```yaml
/// machine: web01                  # else that of --machine
/// disks:                          # registered first, if they are not
///   root: /srv/web01.qcow2
/// transaction: individual         # one after the other; grouped: all under one commit
/// jobs:
///   - snapshot-save: {tag: "nightly-{date}"}
///   - prune: {match: "nightly-*", keep-last: 7}
/// ```
///
/// Several machines stand under `machines`, each with its `disks`, and jobs name theirs. Reading
/// checks everything that can be told from the file alone; ``JobFilePlan`` compares it with a catalog.
public struct JobFile: Sendable, Hashable {
  /// The largest file that is read; a thousand jobs need a tenth of it.
  public static let maximumByteCount = 1 << 20

  /// A machine that the file names.
  public struct Machine: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// Where it is named.
    public let line: Int
    /// The disks that are to be registered.
    public let disks: [Disk]
  }

  /// A disk to register.
  public struct Disk: Sendable, Hashable {
    /// The node's name.
    public let node: String
    /// The image's absolute path.
    public let file: String
    /// Where it is named.
    public let line: Int
  }

  /// One job.
  public struct Job: Sendable, Hashable {
    /// Where it begins.
    public let line: Int
    /// Its machine's name.
    public let machine: String
    /// What it does.
    public let action: Action
    /// The line of each argument.
    let argumentLines: [String: Int]

    func line(of argument: String) -> Int { argumentLines[argument] ?? line }
  }

  /// What a job does.
  public enum Action: Sendable, Hashable {
    /// A QMP command that starts a job, with the arguments that are given.
    case command(String, [QMPValue.Member])
    /// Deletes all but the newest of the snapshots that match.
    case prune(match: String, keepLast: Int, devices: [String]?)

    /// The devices that are given; nil for none.
    var devices: [String]? {
      switch self {
      case .prune(_, _, let devices): devices
      case .command(_, let arguments): Self.strings("devices", in: arguments)
      }
    }

    /// The text of an argument.
    func text(_ name: String) -> String? {
      guard case .command(_, let arguments) = self,
        case .string(let text) = arguments.first(where: { $0.name == name })?.value
      else { return nil }
      return text
    }

    private static func strings(_ name: String, in arguments: [QMPValue.Member]) -> [String]? {
      guard case .array(let values) = arguments.first(where: { $0.name == name })?.value else {
        return nil
      }
      return values.compactMap { value in
        if case .string(let text) = value { text } else { nil }
      }
    }
  }

  /// The file as it was named.
  public let path: String
  /// The machines, those that jobs name only included.
  public let machines: [Machine]
  /// Whether all jobs are committed together or undone together; else each by itself, in order.
  public let isGrouped: Bool
  /// The jobs in order; at least one.
  public let jobs: [Job]

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - text: what is in the file.
  ///   - path: the file as it was named; relative names of images count from its directory.
  ///   - machine: the machine of a file that names none.
  ///   - placeholders: what stands for the placeholders.
  /// - Throws: the first thing that is wrong.
  public init(
    parsing text: String, path: String, machine: String, placeholders: Placeholders
  ) throws(JobFileError) {
    do throws(LineError) {
      let reader = JobFileReader(
        directory: FilePath(path).removingLastComponent(), defaultMachine: machine,
        placeholders: placeholders)
      (machines, isGrouped, jobs) = try reader.read(try YAMLNode(parsing: text))
      self.path = path
    } catch {
      throw JobFileError(path: path, line: error.line, message: error.message)
    }
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - machine: the machine of a file that names none.
  ///   - placeholders: what stands for the placeholders.
  /// - Throws: `QMPError`: not found, no permission, or refused with the line.
  public init(
    contentsOf path: String, machine: String, placeholders: Placeholders
  ) throws(QMPError) {
    let text = try Self.text(of: path)
    do throws(JobFileError) {
      self = try JobFile(
        parsing: text, path: path, machine: machine, placeholders: placeholders)
    } catch {
      throw error.error
    }
  }

  private static func text(of path: String) throws(QMPError) -> String {
    let bytes: [UInt8]
    do {
      let file = try FileDescriptor.open(FilePath(fileName: path), .readOnly, options: .closeOnExec)
      bytes = try file.closeAfter {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= maximumByteCount {
          let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
          if count == 0 { break }
          bytes += chunk[..<count]
        }
        return bytes
      }
    } catch {
      let kind: String? =
        switch error as? Errno {
        case .noSuchFileOrDirectory: "notFound"
        case .permissionDenied: "permission"
        default: nil
        }
      throw QMPError(.genericError, "cannot read the job file \(path): \(error)", kind: kind)
    }
    guard bytes.count <= maximumByteCount else {
      throw JobFileError(
        path: path, line: 1, message: "a job file has at most \(maximumByteCount >> 20) MiB"
      ).error
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw JobFileError(path: path, line: 1, message: "the file is not text in UTF-8").error
    }
    return text
  }
}
