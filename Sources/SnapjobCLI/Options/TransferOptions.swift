import ArgumentParser
import FileNames
import QMP
import Snapjob

/// The options of send, receive and transfer.
struct TransferOptions: ParsableArguments, Sendable {
  @Option(
    help: ArgumentHelp(
      "Which bitmaps, and under which names they go; may be repeated.",
      discussion: """
        A file with QEMU's block-bitmap-mapping in JSON, the JSON itself, or NODE/BITMAP=ALIAS/ALIAS. \
        Without it all bitmaps go under their own names.
        """,
      valueName: "file|spec"))
  var mapping: [String] = []
  @Option(
    help: ArgumentHelp(
      "The job's id. Default: made of the verb, the time and a random number.", valueName: "id"))
  var jobID: String?
  @Option(help: ArgumentHelp("A remark to keep with the job.", valueName: "text"))
  var note: String?

  /// The mapping as QMP takes it; nil for none.
  func mappingValue(_ host: Host) throws(QMPError) -> QMPValue? {
    try BitmapMappingText.value(of: mapping) { path throws(QMPError) in
      try host.contents(of: path)
    }
  }
}

/// Where a stream goes to or comes from.
struct StreamAddress: ExpressibleByArgument, Sendable, Hashable {
  /// What was written.
  let text: String

  init?(argument: String) {
    if argument.isEmpty { return nil }
    text = argument
  }

  /// The address, with an absolute path: a server has another current directory.
  ///
  /// - Throws: as ``Host/absolute(_:)``.
  func uri(_ host: Host) throws(QMPError) -> String {
    for scheme in ["unix:", "file:"] {
      if let path = text.suffix(after: scheme), !path.isEmpty {
        return try scheme + host.absolute(path)
      }
    }
    return text
  }
}
