private import Crypto

extension GuestReader {
  /// The SHA-256 of the whole disk as the guest sees it, as 64 hexadecimal digits: what `sha256sum`
  /// prints for a raw copy.
  public mutating func digest() throws(Qcow2Error) -> String {
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset: UInt64 = 0
    while offset < size {
      let count = Int(min(UInt64(buffer.count), size - offset))
      let start = offset
      try buffer.withUnsafeMutableBufferPointer { (pointer) throws(Qcow2Error) in
        try read(
          into: UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(rebasing: pointer[..<count])), at: start)
      }
      hash.update(data: buffer[..<count])
      offset += UInt64(count)
    }
    return hash.finalize().map { byte in
      let digits = String(byte, radix: 16)
      return byte < 16 ? "0" + digits : digits
    }.joined()
  }
}
