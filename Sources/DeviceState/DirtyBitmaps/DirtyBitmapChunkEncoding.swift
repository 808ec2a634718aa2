internal import ByteCoding

extension DirtyBitmapChunk {
  /// The chunk as it goes over the wire, with the one byte of flags that QEMU writes.
  ///
  /// - Precondition: aliases have at most ``DirtyBitmapLimits/aliasByteCount`` bytes.
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt8(truncatingIfNeeded: flags.rawValue))
    for name in [node, bitmap] {
      guard let name else { continue }
      precondition(name.count <= DirtyBitmapLimits.aliasByteCount)
      writer.append(UInt8(name.count))
      writer.append(name)
    }
    switch body {
    case .nothing, .complete: break
    case .start(let granularity, let flags):
      writer.append(granularity)
      writer.append(flags.rawValue)
    case .bits(let bits):
      writer.append(bits.firstSector)
      writer.append(bits.sectorCount)
      if case .bytes(let bytes) = bits.content {
        writer.append(UInt64(bytes.count))
        writer.append(bytes)
      }
    }
    return writer.bytes
  }

  private var flags: DirtyBitmapChunkFlags {
    var flags: DirtyBitmapChunkFlags = isLast ? .end : []
    if node != nil { flags.insert(.nodeName) }
    if bitmap != nil { flags.insert(.bitmapName) }
    switch body {
    case .nothing: break
    case .start: flags.insert(.start)
    case .complete: flags.insert(.complete)
    case .bits(let bits):
      flags.insert(.bits)
      if case .zeroes = bits.content { flags.insert(.zeroes) }
    }
    return flags
  }
}
