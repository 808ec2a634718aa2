/// Under which names bitmaps go over the wire: QEMU's migration parameter `block-bitmap-mapping`
/// (`BitmapMigrationNodeAlias` of qapi/migration.json).
///
/// The sender looks aliases up by names, the receiver names by aliases. A mapping without nodes is one:
/// nothing is sent then.
public struct BlockBitmapMapping: Sendable, Hashable, Codable {
  /// One node and its bitmaps.
  public struct Node: Sendable, Hashable, Codable {
    /// The node's name on this side.
    public let name: String
    /// Its name on the wire.
    public let alias: String
    /// Its bitmaps that are mapped.
    public let bitmaps: [Bitmap]

    /// Makes a node; it is not checked before the whole mapping is.
    public init(name: String, alias: String, bitmaps: [Bitmap]) {
      self.name = name
      self.alias = alias
      self.bitmaps = bitmaps
    }
  }

  /// One bitmap of a node.
  public struct Bitmap: Sendable, Hashable, Codable {
    /// Its name on this side.
    public let name: String
    /// Its name on the wire.
    public let alias: String
    /// What changes on the way; nil for nothing.
    public let transform: Transform?

    /// Makes a bitmap.
    public init(name: String, alias: String, transform: Transform? = nil) {
      self.name = name
      self.alias = alias
      self.transform = transform
    }
  }

  /// What changes on the way (`BitmapMigrationBitmapAliasTransform`).
  public struct Transform: Sendable, Hashable, Codable {
    /// Whether the bitmap is kept in the image, whatever it was; nil to leave that as it was.
    public let persistent: Bool?

    /// Makes a transformation.
    public init(persistent: Bool?) { self.persistent = persistent }
  }

  /// The nodes, in the order in which they were given.
  public let nodes: [Node]

  /// Makes a mapping.
  ///
  /// Names that exist nowhere, and empty names of bitmaps, are as good as others: so it is in QEMU.
  ///
  /// - Throws: ``StreamError`` with QEMU's text for the first rule that is broken.
  public init(_ nodes: [Node]) throws(StreamError) {
    try Self.checkNames(nodes)
    self.nodes = nodes
  }

  /// The entry of a node; nil for one that is not mapped.
  public func node(named name: String) -> Node? {
    nodes.first { $0.name.utf8.elementsEqual(name.utf8) }
  }

  /// The entry of a node by its name on the wire.
  public func node(alias: String) -> Node? {
    nodes.first { $0.alias.utf8.elementsEqual(alias.utf8) }
  }
}

extension BlockBitmapMapping.Node {
  /// The entry of a bitmap; nil for one that is not mapped.
  public func bitmap(named name: String) -> BlockBitmapMapping.Bitmap? {
    bitmaps.first { $0.name.utf8.elementsEqual(name.utf8) }
  }

  /// The entry of a bitmap by its name on the wire.
  public func bitmap(alias: String) -> BlockBitmapMapping.Bitmap? {
    bitmaps.first { $0.alias.utf8.elementsEqual(alias.utf8) }
  }
}
