/// A persistent dirty bitmap, as the image's directory tells of it.
public struct Bitmap: Sendable, Hashable {
  /// Whether the bitmap's bits can be believed.
  public enum State: Sendable, Hashable {
    /// They tell what has changed.
    case consistent
    /// A program records into it, or was stopped while it did (`in_use`): then its last bits are lost.
    case inUse
    /// A program that does not know bitmaps has written to the image since.
    case outdated
  }

  /// The name's bytes.
  public let nameBytes: [UInt8]
  /// log2 of the disk's bytes that one bit stands for; 9 to 31.
  public let granularityBits: Int
  /// Whether it records what a guest writes (`auto`).
  public let isEnabled: Bool
  /// Whether its bits can be believed.
  public let state: State

  /// The name as it can be shown.
  public var name: String { String(decoding: nameBytes, as: UTF8.self) }
  /// Bytes of the disk that one bit stands for.
  public var granularity: UInt64 { 1 << UInt64(granularityBits) }
  /// Whether nothing but removing it and making it wholly dirty makes sense, as long as no program records
  /// into it.
  public var isInconsistent: Bool { state != .consistent }

  init(_ entry: BitmapDirectoryEntry, isOutdated: Bool) {
    nameBytes = entry.name
    granularityBits = Int(entry.granularityBits)
    isEnabled = entry.isEnabled
    state = isOutdated ? .outdated : entry.isInUse ? .inUse : .consistent
  }

  /// Describes a bitmap.
  init(nameBytes: [UInt8], granularityBits: Int, isEnabled: Bool, state: State) {
    self.nameBytes = nameBytes
    self.granularityBits = granularityBits
    self.isEnabled = isEnabled
    self.state = state
  }
}

extension Image {
  /// The persistent dirty bitmaps in the directory's order, those that nobody can believe included.
  public var bitmaps: [Bitmap] {
    bitmapEntries.map { Bitmap($0, isOutdated: false) }
      + outdatedBitmapEntries.map { Bitmap($0, isOutdated: true) }
  }

  /// Bytes between two bits where nothing else is asked for: a cluster, but at least 4 and at most 64 KiB
  /// (`bdrv_get_default_bitmap_granularity`).
  public var defaultBitmapGranularity: UInt64 { UInt64(min(max(clusterSize, 4096), 65536)) }
}
