import Jobs
import Qcow2
import SnapshotJobs

/// `info block`: nodes as QEMU's monitor tells people of them (block/monitor/block-hmp-cmds.c).
struct BlockText {
  private let nodes: [NodeDescription]

  /// Takes a machine's nodes in its order.
  init(_ nodes: [NodeDescription]) { self.nodes = nodes }

  /// The text for checked arguments.
  ///
  /// Without any, the nodes are told of as devices; with a name or `-n`, as nodes, newest first. An
  /// empty line precedes all but the first of them, printed or not, as in QEMU.
  func text(_ arguments: HumanArguments) -> String {
    let name = arguments.strings["device"]
    let isByNode = name != nil || arguments.options.contains("n")
    let isVerbose = arguments.options.contains("v")
    let nodes = isByNode ? Array(nodes.reversed()) : nodes
    var text = ""
    for (index, node) in nodes.enumerated()
    where name.map({ $0 == node.node.name.description }) ?? true {
      if index > 0 { text += "\n" }
      text += node.humanText(isVerbose: isVerbose)
    }
    return text
  }
}

extension NodeDescription {
  fileprivate func humanText(isVerbose: Bool) -> String {
    var notes = "qcow2"
    if node.isReadOnly { notes += ", read-only" }
    if image?.isEncrypted ?? false { notes += ", encrypted" }
    var text = "\(node.name): \(node.path) (\(notes))\n    Cache mode:       writeback\n"
    if isVerbose, let image { text += "\nImages:\n" + ImageText(image, path: node.path).text }
    if isVerbose, let problem { text += "\nImages:\n\(problem.message)\n" }
    return text
  }
}
