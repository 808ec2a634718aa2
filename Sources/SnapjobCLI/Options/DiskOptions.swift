import ArgumentParser

/// The disks that save, load and delete work on.
struct DiskOptions: ParsableArguments, Sendable {
  @Option(
    name: .customLong("device"),
    help: ArgumentHelp(
      "A node to work on; may be repeated. Default: all writable nodes that are not excluded.",
      valueName: "node"))
  var devices: [String] = []

  @Option(
    name: .customLong("file"), parsing: .upToNextOption,
    help: ArgumentHelp("Images to work on, instead of registered nodes.", valueName: "path"),
    completion: .file())
  var files: [String] = []

  func validate() throws {
    if !devices.isEmpty, !files.isEmpty {
      throw ValidationError("--device and --file exclude each other")
    }
    if files.contains(where: \.isEmpty) { throw ValidationError("--file needs a path") }
  }

  /// Refuses a machine named together with files.
  func check(_ settings: Settings) throws(CommandFailure) {
    if !files.isEmpty, settings.namesMachine {
      throw CommandFailure(.usage, "--file is instead of a machine; leave out --machine")
    }
  }
}
