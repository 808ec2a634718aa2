internal import CZlib
internal import CZstd

/// Inflates one compressed cluster (qcow2 specification, "Compressed clusters").
///
/// Both methods write straight into the cluster's buffer, which is also all the history they look back
/// to: no window is allocated, whatever size the data ask for.
enum ClusterDecompressor {
  /// Raw deflate without a zlib header.
  case deflate
  /// Zstandard frames.
  case zstd

  /// The method that an image's header names.
  init(_ header: Header) { self = header.compressionType == 1 ? .zstd : .deflate }

  /// Fills one cluster.
  ///
  /// - Parameters:
  ///   - cluster: filled wholly, or left with anything if the data are damaged.
  ///   - data: the compressed data; what follows their end is ignored.
  /// - Returns: why they are damaged; nil if they are not.
  func inflate(
    _ cluster: UnsafeMutableRawBufferPointer, from data: UnsafeMutableRawBufferPointer
  ) -> String? {
    switch self {
    case .deflate: inflateDeflate(cluster, data)
    case .zstd: inflateZstd(cluster, UnsafeRawBufferPointer(data))
    }
  }

  /// QEMU writes with a window of 4 KiB and reads with that setting; zlib takes longer distances too, as
  /// long as they stay inside the buffer.
  private static let deflateWindowBits: CInt = -12

  private func inflateDeflate(
    _ cluster: UnsafeMutableRawBufferPointer, _ data: UnsafeMutableRawBufferPointer
  ) -> String? {
    var stream = z_stream()
    let size = CInt(MemoryLayout<z_stream>.size)
    guard inflateInit2_(&stream, Self.deflateWindowBits, ZLIB_VERSION, size) == Z_OK else {
      return "zlib has no memory"
    }
    defer { inflateEnd(&stream) }
    stream.next_in = data.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_in = UInt32(data.count)
    stream.next_out = cluster.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.avail_out = UInt32(cluster.count)
    let result = CZlib.inflate(&stream, Z_FINISH)
    switch result {
    // A full buffer before the end of the stream is enough, as it is for QEMU.
    case Z_STREAM_END, Z_BUF_ERROR:
      if stream.avail_out == 0 { return nil }
      return "the data end \(stream.avail_out) bytes before the end of the cluster"
    case Z_MEM_ERROR: return "zlib has no memory"
    default: return stream.msg.map { String(cString: $0) } ?? "zlib's error \(result)"
    }
  }

  private func inflateZstd(
    _ cluster: UnsafeMutableRawBufferPointer, _ data: UnsafeRawBufferPointer
  ) -> String? {
    guard let context = ZSTD_createDCtx() else { return "zstd has no memory" }
    defer { ZSTD_freeDCtx(context) }
    var (read, written) = (0, 0)
    // A cluster may be made of several frames.
    while written < cluster.count {
      let rest = UnsafeRawBufferPointer(rebasing: data[read...])
      guard !rest.isEmpty else {
        return "the data end \(cluster.count - written) bytes before the end of the cluster"
      }
      let frame = ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)
      if let problem = Self.zstdProblem(frame) { return problem }
      let room = UnsafeMutableRawBufferPointer(rebasing: cluster[written...])
      let count = ZSTD_decompressDCtx(
        context, room.baseAddress, room.count, rest.baseAddress, frame)
      if let problem = Self.zstdProblem(count) { return problem }
      read += frame
      written += count
    }
    return nil
  }

  private static func zstdProblem(_ result: Int) -> String? {
    ZSTD_isError(result) == 0 ? nil : String(cString: ZSTD_getErrorName(result))
  }
}
