/// What the receiving side has: its disks, and what their bitmaps are called on the wire.
public struct DirtyBitmapDestination: Sendable {
  /// One disk.
  public struct Disk: Sendable {
    /// The node's name.
    public let node: String
    /// Its size in bytes.
    public let size: UInt64
    /// The names of the bitmaps that it has already, as bytes.
    public let bitmapNames: Set<[UInt8]>

    /// Describes a disk.
    public init(node: String, size: UInt64, bitmapNames: Set<[UInt8]>) {
      self.node = node
      self.size = size
      self.bitmapNames = bitmapNames
    }
  }

  /// The disks.
  public let disks: [Disk]
  /// How names on the wire are meant; nil if they are the names themselves.
  public let mapping: BlockBitmapMapping?

  /// Describes a destination.
  public init(disks: [Disk], mapping: BlockBitmapMapping?) {
    self.disks = disks
    self.mapping = mapping
  }

  /// The disk that an alias means.
  ///
  /// - Throws: ``StreamError`` (not found) with QEMU's text.
  func disk(alias: String) throws(StreamError) -> Disk {
    var name = alias
    if let mapping {
      guard let node = mapping.node(alias: alias) else {
        throw StreamError(.notFound, "Unknown node alias '\(alias)'")
      }
      name = node.name
    }
    guard let disk = disks.first(where: { $0.node == name }) else {
      throw StreamError(.notFound, "Cannot find device='\(name)' nor node-name='\(name)'")
    }
    return disk
  }

  /// The bitmap that an alias means.
  ///
  /// - Throws: ``StreamError`` (not found) with QEMU's text.
  func bitmap(
    alias: String, of node: String, on disk: Disk
  ) throws(StreamError) -> BlockBitmapMapping.Bitmap {
    guard let mapping else { return BlockBitmapMapping.Bitmap(name: alias, alias: alias) }
    guard let bitmap = mapping.node(alias: node)?.bitmap(alias: alias) else {
      throw StreamError(
        .notFound, "Unknown bitmap alias '\(alias)' on node '\(disk.node)' (alias '\(node)')")
    }
    return bitmap
  }
}
