/// A command between sections (`MIG_CMD_*` of migration/savevm.c): `08 · number u16 · n u16 · data[n]`.
///
/// Commands steer a migration while it runs; a stream in a file has at most those at its beginning.
public struct StreamCommand: Sendable, Hashable {
  /// What the receiver is told to do.
  public enum Name: UInt16, Sendable, Hashable, CaseIterable {
    case openReturnPath = 1
    case ping = 2
    /// No data if only dirty bitmaps are migrated after the switchover, else two page sizes.
    case postcopyAdvise = 3
    case postcopyListen = 4
    case postcopyRun = 5
    case postcopyRAMDiscard = 6
    /// A part of a stream, whose length is the data: that many bytes follow.
    case packaged = 7
    case enableCOLO = 8
    case postcopyResume = 9
    case receiveBitmap = 10
    case switchoverStart = 11

    /// The lengths of data that are possible; nil for any.
    var dataByteCounts: [Int]? {
      switch self {
      case .openReturnPath, .postcopyListen, .postcopyRun, .enableCOLO, .postcopyResume,
        .switchoverStart:
        [0]
      case .ping, .packaged: [4]
      case .postcopyAdvise: [0, 16]
      case .postcopyRAMDiscard, .receiveBitmap: nil
      }
    }
  }

  /// Which command.
  public let name: Name
  /// Its data; at most 65,535 bytes.
  public let data: [UInt8]

  /// Makes a command.
  public init(_ name: Name, data: [UInt8] = []) {
    self.name = name
    self.data = data
  }

  /// Bytes of the whole command; without the part of a stream that follows ``Name/packaged``.
  public var byteCount: Int { 5 + data.count }
}

extension StreamCursor {
  /// Reads a command behind its type.
  mutating func readCommand() throws(StreamError) -> StreamCommand {
    let start = offset
    let place = "command"
    guard let number = try read(UInt16.self), let count = try read(UInt16.self) else {
      throw truncated(in: place)
    }
    guard let name = StreamCommand.Name(rawValue: number) else {
      throw StreamError(.unsupported, "unknown command \(number)", at: start, section: place)
    }
    if let possible = name.dataByteCounts, !possible.contains(Int(count)) {
      throw StreamError(
        .malformed,
        "\(name) has \(count) bytes of data, not \(possible.map(String.init).joined(separator: " or "))",
        at: start + 2, section: place)
    }
    guard let data = try read(byteCount: Int(count)) else { throw truncated(in: place) }
    return StreamCommand(name, data: data)
  }
}
