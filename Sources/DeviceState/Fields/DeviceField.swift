/// A field of a device's state with its bytes.
public struct DeviceField: Sendable, Hashable {
  /// The way to it: `env.segs[2].selector`; of a subsection `fw_cfg/dma.dma_addr`.
  public let path: String
  /// QEMU's name of its type.
  public let type: String
  /// Where it begins, in bytes from the start of the device's state.
  public let offset: Int
  /// Bytes of one element.
  public let elementByteCount: Int
  /// Its bytes; several elements one behind the other if it is an array.
  public let bytes: [UInt8]

  /// Makes a field.
  public init(path: String, type: String, offset: Int, elementByteCount: Int, bytes: [UInt8]) {
    self.path = path
    self.type = type
    self.offset = offset
    self.elementByteCount = elementByteCount
    self.bytes = bytes
  }

  /// What a field's bytes mean.
  public enum Value: Sendable, Hashable {
    case bool(Bool)
    case signed(Int64)
    case unsigned(UInt64)
    /// The elements of an array.
    case list([Value])
    /// Anything else.
    case bytes([UInt8])
  }

  /// What the bytes mean, as far as the type tells: numbers are big endian.
  public var value: Value {
    guard let scalar = Scalar(type: type, byteCount: elementByteCount) else { return .bytes(bytes) }
    let elements = stride(from: 0, to: bytes.count, by: elementByteCount).map {
      scalar.value(bytes[$0..<$0 + elementByteCount])
    }
    return elements.count == 1 ? elements[0] : .list(elements)
  }

  /// A type of single values. QEMU's names have a suffix where it checks the value when it loads it:
  /// `uint32 equal`, `int32 le` (less or equal).
  private enum Scalar {
    case bool
    case signed
    case unsigned

    init?(type: String, byteCount: Int) {
      let name = type.prefix { $0 != " " }
      switch name {
      case "bool" where byteCount == 1: self = .bool
      case "int8", "int16", "int32", "int64": self = .signed
      case "uint8", "uint16", "uint32", "uint64", "timer": self = .unsigned
      default: return nil
      }
      guard [1, 2, 4, 8].contains(byteCount) else { return nil }
    }

    func value(_ bytes: ArraySlice<UInt8>) -> Value {
      let bits = bytes.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      switch self {
      case .bool where bits <= 1: return .bool(bits == 1)
      case .bool, .unsigned: return .unsigned(bits)
      case .signed:
        let unused = 64 - bytes.count * 8
        return .signed(Int64(bitPattern: bits << UInt64(unused)) >> Int64(unused))
      }
    }
  }
}
