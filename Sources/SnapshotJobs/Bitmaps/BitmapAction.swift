public import Jobs

/// A change of the persistent dirty bitmaps of one node.
///
/// The corresponding QMP commands are `block-dirty-bitmap-add` and its siblings, which are actions of
/// `transaction` as well.
public enum BitmapAction: Sendable, Hashable, Codable {
  /// Adds a bitmap; QEMU's default granularity if none is given, in bytes.
  case add(node: String, name: String, granularity: UInt64?, isEnabled: Bool)
  /// Removes one, also one that is inconsistent.
  case remove(node: String, name: String)
  /// Marks nothing as dirty any more.
  case clear(node: String, name: String)
  /// Lets it record.
  case enable(node: String, name: String)
  /// Lets it record no more.
  case disable(node: String, name: String)
  /// Makes an inconsistent one usable again: everything counts as changed.
  case repair(node: String, name: String)
  /// Adds the dirty parts of other bitmaps.
  case merge(node: String, target: String, sources: [BitmapReference])

  /// The node whose bitmaps change.
  public var node: String {
    switch self {
    case .add(let node, _, _, _), .remove(let node, _), .clear(let node, _), .enable(let node, _),
      .disable(let node, _), .repair(let node, _), .merge(let node, _, _):
      node
    }
  }

  /// The bitmap that changes.
  public var name: String {
    switch self {
    case .add(_, let name, _, _), .remove(_, let name), .clear(_, let name), .enable(_, let name),
      .disable(_, let name), .repair(_, let name), .merge(_, let name, _):
      name
    }
  }

  /// What happens, as a part of a sentence.
  var sentence: String {
    switch self {
    case .add: "add bitmap '\(name)'"
    case .remove: "remove bitmap '\(name)'"
    case .clear: "clear bitmap '\(name)'"
    case .enable: "enable bitmap '\(name)'"
    case .disable: "disable bitmap '\(name)'"
    case .repair: "repair bitmap '\(name)'"
    case .merge(_, _, let sources):
      "merge \(sources.map { "'\($0.name)'" }.joined(separator: ", ")) into bitmap '\(name)'"
    }
  }

  /// The nodes whose bitmaps are only read.
  var sourceNodes: [String] {
    guard case .merge(let node, _, let sources) = self else { return [] }
    return sources.compactMap(\.node).filter { $0 != node }
  }
}

/// A bitmap that is merged into another (`BlockDirtyBitmapOrStr`).
public struct BitmapReference: Sendable, Hashable, Codable {
  /// Its node; nil for the target's own.
  public let node: String?
  /// Its name.
  public let name: String

  /// Names a bitmap.
  public init(node: String? = nil, name: String) {
    self.node = node
    self.name = name
  }
}

extension BitmapAction {
  /// The node that the action is about, checked as far as names go and in QEMU's order.
  func node(of machine: Machine) throws(JobError) -> Node {
    if case .add(_, let name, _, _) = self, name.isEmpty {
      throw JobError(.usage, "Bitmap name cannot be empty")
    }
    guard let found = machine.node(node) else {
      if case .add = self { throw .deviceNotFound(node) }
      throw .bitmapNodeNotFound(node)
    }
    guard !found.isReadOnly else {
      if case .add = self { throw JobError(.refused, "Device '\(node)' is read only") }
      throw JobError(.refused, "Bitmap '\(name)' is readonly and cannot be modified")
    }
    return found
  }
}

extension Machine {
  /// The nodes of these names whose bitmaps are read, without those that change; a name that no node has is
  /// told when its turn comes.
  func sources(of names: [String], besides nodes: [Node]) -> [Node] {
    self.nodes.filter { node in
      names.contains(node.name.description) && !nodes.contains(node)
    }
  }
}

extension JobError {
  /// There is no node of that name, in the words of QEMU's commands on bitmaps.
  public static func bitmapNodeNotFound(_ name: String) -> JobError {
    JobError(.notFound, "Node '\(name)' not found")
  }
}
