import Glibc
import SnapshotJobs
import TestOracles

/// A directory with disks and a catalog, which is put into one state after another.
final class Workplace {
  let directory: TemporaryDirectory
  let format: Format
  let nodes: [Node]
  private var devices: [String] = []
  /// What lies beside the catalog in each state.
  var companions = Companions()

  /// What processes leave beside the catalog, which no crash takes away.
  struct Companions: Sendable {
    /// The lock files of the workers that the catalog may name.
    fileprivate var lockNames: Set<String> = []
    /// The files of device states that wait for the next save.
    fileprivate var stagedFiles: [String: FileContent] = [:]
  }

  var catalogPath: String { directory.path("state/catalog.sqlite") }
  var secondCatalogPath: String { directory.path("other/catalog.sqlite") }
  var scratch: String { directory.path("scratch") }
  private var workerDirectory: String { catalogPath + ".workers" }
  private var stagedDirectory: String { catalogPath + ".states" }
  var machine: Machine { Machine(name: nil, nodes: nodes) }

  init(_ format: Format, diskCount: Int) throws {
    directory = try TemporaryDirectory.inMemory()
    self.format = format
    mkdir(directory.path("state"), 0o700)
    mkdir(directory.path("other"), 0o700)
    var nodes: [Node] = []
    for index in 0..<diskCount {
      var path = directory.path("disk\(index).qcow2")
      if let size = format.deviceSize {
        let file = directory.path("device\(index)")
        var content = FileContent()
        content.setLength(size)
        try content.write(to: file)
        let text = try Command.run("losetup", ["--find", "--show", file]).text
        path = String(text.prefix { !$0.isWhitespace })
        devices.append(path)
      }
      nodes.append(Node(name: try NodeName("disk\(index)"), path: path))
    }
    self.nodes = nodes
  }

  deinit { for device in devices { _ = try? Command.attempt("losetup", ["--detach", device]) } }

  /// Paths of images that the operation makes.
  var createdPaths: [String] = []

  /// Everything that a crash may leave in some other state than it was.
  var paths: [String] { nodes.map(\.path) + createdPaths + [catalogPath, catalogPath + "-wal"] }

  /// The files as they are.
  func read() throws -> [String: FileModel] {
    var files: [String: FileModel] = [:]
    for path in paths {
      files[path] = FileModel(access(path, F_OK) == 0 ? try FileContent(of: path) : nil)
    }
    return files
  }

  /// One file as it is; nil if there is none.
  func read(_ path: String) throws -> FileContent? {
    access(path, F_OK) == 0 ? try FileContent(of: path) : nil
  }

  /// Notes what the running processes have beside the catalog, to be there in each state.
  func noteCompanions() throws {
    companions.lockNames.formUnion(Self.names(in: workerDirectory).filter { $0.hasSuffix(".lock") })
    for name in Self.names(in: stagedDirectory) {
      companions.stagedFiles[name] = try FileContent(of: "\(stagedDirectory)/\(name)")
    }
  }

  /// Puts the files into a state, as a process finds them that starts then.
  func place(_ files: [String: FileModel]) throws {
    unlink(catalogPath + "-shm")
    for (path, model) in files {
      if model.exists { try model.cached.write(to: path) } else { unlink(path) }
    }
    for name in Self.names(in: workerDirectory) where !companions.lockNames.contains(name) {
      unlink("\(workerDirectory)/\(name)")
    }
    mkdir(workerDirectory, 0o700)
    for name in companions.lockNames { try FileContent().write(to: "\(workerDirectory)/\(name)") }
    if !companions.stagedFiles.isEmpty {
      mkdir(stagedDirectory, 0o700)
      for (name, content) in companions.stagedFiles {
        try content.write(to: "\(stagedDirectory)/\(name)")
      }
    }
  }

  private static func names(in directory: String) -> [String] {
    guard let handle = opendir(directory) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
