/// The limits of one JSON text; what is beyond them is refused before it is stored.
///
/// The values are QEMU's (`MAX_TOKEN_SIZE`, `MAX_TOKEN_COUNT` and `MAX_NESTING` of
/// qobject/json-streamer.c).
public struct JSONLimits: Sendable, Hashable {
  /// Bytes of all tokens together.
  public var byteCount = 64 << 20
  /// Number of tokens.
  public var tokenCount = 2 << 20
  /// Open braces and brackets at any place.
  public var depth = 1 << 10

  /// QEMU's limits.
  public init() {}
}
