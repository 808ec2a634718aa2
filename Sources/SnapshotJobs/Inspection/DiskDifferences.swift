public import Jobs
internal import Qcow2

/// Where one node's disk may differ between two of its states.
public struct DiskDifferences: Sendable, Hashable {
  /// The node.
  public let node: NodeName
  /// Ranges of the disk in bytes, ascending; no two of them touch.
  public let ranges: [Range<UInt64>]

  /// Makes a value.
  public init(node: NodeName, ranges: [Range<UInt64>]) {
    self.node = node
    self.ranges = ranges
  }
}

extension Machine {
  /// Where disks may differ between two points in time, by their tables; also while a VM holds them.
  ///
  /// - Parameters:
  ///   - old: a tag.
  ///   - new: a tag; nil for the active state.
  ///   - devices: node names; nil for those that a job covers.
  ///   - progress: told what is done.
  /// - Returns: one value for each node.
  /// - Throws: `JobError`: not found if a node lacks a tag, with the nodes that have both.
  public func differences(
    from old: String, to new: String?, on devices: [String]? = nil,
    progress: InspectionProgress = InspectionProgress()
  ) throws(JobError) -> [DiskDifferences] {
    let nodes = try devices.map(self.nodes(named:)) ?? coveredNodes
    try requireTags([old] + [new].compactMap(\.self), on: nodes)
    var found: [DiskDifferences] = []
    for node in nodes {
      let ranges = try node.look { image in
        let states = try [old, new].map { tag throws(JobError) -> DiskState in
          guard let tag else { return .active }
          guard let position = try image.position(ofTag: tag, on: node) else {
            throw JobError(.notFound, "\(node.name): the snapshot '\(tag)' has gone")
          }
          return .snapshot(position)
        }
        return try image.differences(
          from: states[0], to: states[1], progress.advance, foresee: progress.foresee)
      }
      found.append(DiskDifferences(node: node.name, ranges: ranges))
    }
    return found
  }

  /// Throws unless each node has each of the tags.
  private func requireTags(_ tags: [String], on nodes: [Node]) throws(JobError) {
    var lacking: [(tag: String, nodes: [Node])] = []
    for tag in tags {
      var without: [Node] = []
      for node in nodes where try node.look({ try $0.position(ofTag: tag, on: node) }) == nil {
        without.append(node)
      }
      if !without.isEmpty { lacking.append((tag, without)) }
    }
    guard let first = lacking.first else { return }
    let names = first.nodes.map(\.name.description).joined(separator: ", ")
    var text = "Snapshot '\(first.tag)' does not exist on \(names). "
    let whole = nodes.filter { node in !lacking.contains { $0.nodes.contains(node) } }
    if whole.isEmpty {
      let files = name == nil ? ["--file"] + nodes.map(\.path) : []
      text += "See: \(NextStep(["list"] + files, machine: name))"
    } else {
      text += "To compare the others: " + whole.map { "--device \($0.name)" }.joined(separator: " ")
    }
    throw JobError(.notFound, text)
  }
}
