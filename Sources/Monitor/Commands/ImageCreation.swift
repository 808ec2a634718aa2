import Jobs
import QMP
import Qcow2

/// What a job of type `create` is asked to do; kept as the job's arguments.
struct ImageCreation: Sendable, Hashable, Codable {
  /// The absolute path of the new file.
  let path: String
  /// The disk's size in bytes.
  let size: UInt64
  /// Bytes in a cluster.
  let clusterSize: Int
  /// 2 or 3.
  let version: UInt32
  /// Bits of a refcount.
  let refcountBits: Int

  /// The request of the checked member `options`.
  init(_ options: Arguments, _ context: CommandContext) throws {
    let file = try options.object("file")
    path = try context.outputPath(try file.string("filename"))
    size = try options.unsigned("size")
    version = options.string(ifPresent: "version") == "v2" ? 2 : 3
    // What does not fit is no size that the format allows; the job says so.
    clusterSize = options.unsigned(ifPresent: "cluster-size").map(Int.init(clamping:)) ?? 65_536
    refcountBits = options.unsigned(ifPresent: "refcount-bits").map(Int.init(clamping:)) ?? 16
  }

  var options: CreateOptions {
    CreateOptions(
      size: size, clusterSize: clusterSize, version: version, refcountBits: refcountBits)
  }
}

/// Creates an image; the file is there from `prepare` on, and is removed if the job is undone.
struct ImageCreationWork: JobWork {
  let request: ImageCreation
  let images: any MachineImages

  func prepare(_ control: JobControl) throws -> any PreparedWork {
    try control.checkpoint()
    try images.create(request.path, request.options)
    return CreatedImage(path: request.path, images: images)
  }

  private struct CreatedImage: PreparedWork {
    let path: String
    let images: any MachineImages

    func undo() throws { try images.remove(path) }
    func finish() throws -> String? { nil }
    func abandon() {}
  }
}
