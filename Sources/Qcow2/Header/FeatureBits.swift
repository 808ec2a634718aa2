/// Incompatible feature bits: a program that does not know one must not open the image.
struct IncompatibleFeatures: OptionSet, Sendable, Hashable {
  let rawValue: UInt64

  /// Refcounts may be wrong (lazy refcounts).
  static let dirty = IncompatibleFeatures(rawValue: 1 << 0)
  /// Some structure is known to be wrong.
  static let corrupt = IncompatibleFeatures(rawValue: 1 << 1)
  /// Guest data lies in another file.
  static let externalDataFile = IncompatibleFeatures(rawValue: 1 << 2)
  /// Compression other than deflate.
  static let compressionType = IncompatibleFeatures(rawValue: 1 << 3)
  /// 16-byte L2 entries with subclusters.
  static let extendedL2 = IncompatibleFeatures(rawValue: 1 << 4)
  /// snapjob's fence: a commit over several images is under way. The bit is private; its entry in the
  /// feature name table tells the user of another program what to do.
  static let commitPending = IncompatibleFeatures(rawValue: 1 << commitPendingBit)
  /// The bit's number.
  static let commitPendingBit: UInt8 = 58
  /// The text that QEMU prints when it refuses a fenced image (46 bytes at most).
  static let commitPendingName = "snapjob commit pending: run snapjob recover"
  /// The fence of snapjob versions that marked images: only they can finish such a commit.
  static let markedCommitPending = IncompatibleFeatures(rawValue: 1 << markedBit)
  /// The number of the bits of those versions, of the fence as of the marker.
  static let markedBit: UInt8 = 57

  /// All that this engine understands.
  static let known: IncompatibleFeatures = [
    .dirty, .corrupt, .externalDataFile, .compressionType, .extendedL2, .commitPending,
    .markedCommitPending,
  ]
}

/// Compatible feature bits: unknown ones are kept.
struct CompatibleFeatures: OptionSet, Sendable, Hashable {
  let rawValue: UInt64

  /// Refcount updates may be postponed.
  static let lazyRefcounts = CompatibleFeatures(rawValue: 1 << 0)
}

/// Autoclear feature bits: a program that does not know one must clear it before it writes.
struct AutoclearFeatures: OptionSet, Sendable, Hashable {
  let rawValue: UInt64

  /// The bitmaps extension is up to date.
  static let bitmaps = AutoclearFeatures(rawValue: 1 << 0)
  /// The external data file alone is a valid raw image.
  static let rawExternal = AutoclearFeatures(rawValue: 1 << 1)
  /// The marker of snapjob versions that marked images. `qemu-img check -r` deletes the snapshots of a version
  /// 3 image that has an autoclear bit which it does not know, so it is taken away wherever it is found.
  static let marker = AutoclearFeatures(rawValue: 1 << IncompatibleFeatures.markedBit)

  /// What this engine keeps when it writes.
  static let known: AutoclearFeatures = [.bitmaps, .rawExternal]
}
