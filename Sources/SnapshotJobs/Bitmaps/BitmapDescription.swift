public import Jobs
public import Qcow2

/// One persistent bitmap of a node, with the number of its dirty bytes.
public struct BitmapDescription: Sendable, Hashable {
  /// The bitmap as the image tells of it.
  public let bitmap: Bitmap
  /// Bytes that are dirty, in whole bits as QEMU counts; nil where nobody knows: an inconsistent bitmap, or
  /// one that a running program records into.
  public let dirtyByteCount: UInt64?
  /// Who records into it (`qemu-system-x86_64 (pid 4711, -name web01)`); nil for nobody.
  public let holder: String?

  /// Describes a bitmap.
  public init(bitmap: Bitmap, dirtyByteCount: UInt64?, holder: String?) {
    self.bitmap = bitmap
    self.dirtyByteCount = dirtyByteCount
    self.holder = holder
  }

  /// Whether it can only be removed or repaired: nobody records into it, and its bits are not to be believed.
  public var isInconsistent: Bool { bitmap.isInconsistent && holder == nil }
}

extension Node {
  /// The node's bitmaps, looked at without locking the image.
  ///
  /// - Throws: `JobError` that names the node, if the image or a bitmap cannot be read.
  public func bitmaps() throws(JobError) -> [BitmapDescription] {
    try look { image in
      let holder = image.bitmaps.isEmpty ? nil : image.writer()?.description
      let set = BitmapSet(image)
      return try set.bitmaps.enumerated().map { index, bitmap in
        let isKnown = holder == nil && !bitmap.isInconsistent
        return BitmapDescription(
          bitmap: bitmap,
          dirtyByteCount: isKnown ? try set.content(at: index).dirtyByteCount : nil,
          holder: holder)
      }
    }
  }

  /// The dirty ranges of a bitmap in bytes, ascending.
  ///
  /// - Throws: `JobError`: not found; in use while a program records into it; conflict if it is inconsistent.
  public func dirtyRanges(ofBitmap name: String) throws(JobError) -> [Range<UInt64>] {
    try lookAtBitmap(name) { try $0.bitmapContent(named: name).dirtyRanges() }
  }

  /// The SHA-256 of a bitmap's bits; of an inconsistent one, as in QEMU, of none.
  public func bitmapDigest(named name: String) throws(JobError) -> String {
    try lookAtBitmap(name) { try BitmapSet($0).contentOrNone(of: name).sha256() }
  }

  /// Looks at a bitmap that no program records into.
  private func lookAtBitmap<Value>(
    _ bitmap: String, _ body: (Image) throws -> Value
  ) throws(JobError) -> Value {
    do {
      return try Image.look(at: path) { image in
        if let writer = image.writer() {
          throw JobError(
            .inUse,
            "\(name): bitmap '\(bitmap)' is in use by \(writer), which keeps its newest bits in memory. Stop "
              + "that machine first")
        }
        return try body(image)
      }
    } catch let error as JobError {
      throw error
    } catch let error as Qcow2Error where error.path == nil {
      throw JobError(error, aboutBitmap: bitmap, of: name.description)
    } catch {
      throw JobError(wrapping: error, node: name.description)
    }
  }
}
